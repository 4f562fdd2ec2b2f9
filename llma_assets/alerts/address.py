"""Which network addresses a webhook may be at. An address decides, not a name: names change their minds."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# From IANA's registries of special-purpose addresses, beside those that `ipaddress` has a word for in every version.
_SPECIAL = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "100.64.0.0/10",  # carriers' own
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation, here and below
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",
        "5f00::/16",  # segment routing
    )
]
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
_OWN_IPV4 = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")]
_OWN_IPV6 = [ipaddress.ip_network(text) for text in ("fc00::/7", "::1/128")]
# Where clouds keep their keys, within a range that is otherwise one's own: AWS, Google Cloud.
_METADATA_IPV6 = [ipaddress.ip_address(text) for text in ("fd00:ec2::254", "fd20:ce::254")]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def why_refused(text: str, allow_private: bool) -> str | None:
    """Why nothing is sent to an address; None if it may be.

    Loopback and private networks need `allow_private`. Link-local addresses and others where clouds keep their keys,
    multicast, reserved ones and 6to4 are refused whatever is allowed. An IPv4 address inside an IPv6 one is judged as
    itself.
    """
    try:
        address = embedded(ipaddress.ip_address(text))
    except ValueError:
        return f"{text!r} is no address"
    # Compared by number: an IPv6 address may name a zone.
    if address.version == 6 and int(address) in map(int, _METADATA_IPV6):
        return f"{address} is an address of a cloud's metadata"
    own = _OWN_IPV4 if address.version == 4 else _OWN_IPV6
    if any(address in network for network in own):
        return None if allow_private else f"{address} is an address of a private network or of this machine"
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return f"{address} is link-local, multicast or unspecified"
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return f"{address} is reserved"
    if address.version == 6 and address not in _GLOBAL_IPV6:
        return f"{address} is not a global address"
    return None


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (IPv4-mapped, NAT64), or the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
