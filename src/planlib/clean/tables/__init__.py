"""Values to the processed tables, and what must hold between them: rules, account of cells, digests."""
