"""Starts the platform for tests, in this process or as many, and tells what every one of them can be asked.

| Start | What runs |
| --- | --- |
| `Harness` | some services or all, in the test's own thread, on a clock that moves when told |
| `embedded` | the embedded host: all services in threads of this process, HTTP without a socket |
| `Served` | the embedded host as `kameng serve`, in a process of its own that may be killed |
| `cluster` | a process for each part of each service, on PostgreSQL and RabbitMQ |

All of them are a `Platform`. `market.opened` adds staff, customers, payment channel and suppliers to the last two.
"""
