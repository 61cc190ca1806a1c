"""PostgreSQL: connections, transactions, compiled statements, the embedded server. Knows nothing of HTTP."""
