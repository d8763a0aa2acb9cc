"""What every vendor stand-in shares: a persistent store, a clock, fault rules, a request log and notifications."""
