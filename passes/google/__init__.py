"""Google Wallet as values: classes and objects, what the API is asked and answers, save links, callbacks."""
