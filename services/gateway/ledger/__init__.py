"""The books: accounts, entries, wallets and deposits."""
