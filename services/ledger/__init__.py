"""Money: payments through channels, holds, captures, refunds and returns, in double entry."""
