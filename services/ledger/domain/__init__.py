"""The rules of money: a payment, an order's hold and a manual entry each decide for themselves."""
