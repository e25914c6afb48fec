"""What an audit record becomes in OpenTelemetry. Every attribute name of a record lives here."""
