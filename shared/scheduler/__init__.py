"""Commands and external calls that are due later, stored in the transaction of the events that ask for them."""
