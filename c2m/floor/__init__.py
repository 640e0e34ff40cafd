"""The services between platform and factories: broker, relay, collector, the two transports, credentials."""

__all__ = [
    "broker",
    "child",
    "collect",
    "conformance",
    "corrections",
    "credentials",
    "delivery",
    "http",
    "mqtt",
    "processes",
    "readmit",
    "relay",
    "service",
    "sparkplug",
]
