"""S14: which addresses a webhook may be at, whatever form they come in."""

import pytest

from llma_assets.alerts.address import why_refused

PUBLIC = ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
OWN = ["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::1", "fd00::1"]
OWN_IN_DISGUISE = ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"]
NEVER = [
    "fd00:ec2::254", "fd00:0ec2:0::0254", "fd20:ce::254", "fd00:ec2::254%eth0",
    "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1", "224.0.0.1", "ff02::1",
    "0.0.0.0", "0.1.2.3", "::", "255.255.255.255", "240.0.0.1", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1",
    "192.88.99.1", "2002:7f00:1::1", "2001::1", "2001:db8::1", "64:ff9b:1::1", "::7f00:1", "fec0::1", "not an address",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_used(address: str) -> None:
    assert why_refused(address, allow_private=False) is None


@pytest.mark.parametrize("address", OWN + OWN_IN_DISGUISE)
def test_ones_own_network_needs_leave(address: str) -> None:
    assert "private network" in (why_refused(address, allow_private=False) or "")
    assert why_refused(address, allow_private=True) is None


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
def test_what_no_setting_allows(address: str, allow_private: bool) -> None:
    assert why_refused(address, allow_private)
