"""Writes an invoice on standard output; the shop runs it as a program of its own."""

import argparse

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--order", type=int, required=True)
parser.add_argument("--cents", type=int, required=True)
parser.add_argument("--password", required=True, help="of the accounts; a fake one, and unused")
arguments = parser.parse_args()
print(f"invoice {arguments.order}: {arguments.cents / 100:.2f} EUR")
