"""The command line: ``main`` finds the verb and turns errors into exit codes; one module a verb."""
