"""Apple Wallet: the pass package, the phone's web service, and pushes."""
