"""Stories told over real sockets, against real processes and the sandbox's wallets."""
