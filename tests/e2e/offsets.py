#!/usr/bin/env python3
"""Compares what tests/describe printed (OURS) with tshark's PDML of the same frames (PDML): outer VLAN, innermost IP
header's offset and addresses, UDP's offset and ports, tunnel and its number. Prints what differs; exit status 1 then.

tshark goes on into much that penstock does not look into. So its layers are followed only as far as they are of the kinds
below, and frames that tshark finds faulty are counted, not compared. One that penstock alone finds faulty is a difference,
but for those of REFUSED."""
import collections
import ipaddress
import os
import sys
import xml.etree.ElementTree as tree

PASSED = {"geninfo", "frame", "eth", "ethertype", "vlan", "ieee8021ad", "pwethheuristic", "pwethcw", "pwethnocw", "ppp", "data",
          "fake-field-wrapper"}
TUNNELS = {"mpls": "mpls.label", "pppoes": "pppoe.session_id", "vxlan": "vxlan.vni", "geneve": "geneve.vni",
           "gre": "gre.key", "erspan": "erspan.spanid", "gtp": "gtp.teid"}
NAMES = {"pppoes": "pppoe"}
FAULTS = {"_ws.malformed", "_ws.short", "_ws.unreassembled"}


def fields(proto, name):
    return [f for f in proto.iter("field") if f.get("name") == name]


def number(proto, name):
    found = fields(proto, name)
    return int(found[0].get("value"), 16) if found and found[0].get("value") else 0


def position(proto):
    return int(proto.get("pos"))


class Theirs:
    """What tshark says of one frame, up to the first layer that penstock does not look into."""

    def __init__(self, packet):
        self.vlan, self.tags, self.tunnel, self.vni, self.layers = "-", 0, "none", 0, 0
        self.ip = self.udp = None
        self.faulty = any(p.get("name") in FAULTS for p in packet.iter("proto"))
        self.fragment = False
        inner_ip = False
        previous = None
        for proto in packet.findall("proto"):
            name = proto.get("name")
            if name == "eth" and previous in ("ip", "ipv6"):
                break  # Ethernet in IP as segment routing has it
            if name in ("vlan", "ieee8021ad"):
                if self.layers == 0 and not self.ip:
                    if self.tags == 0:
                        self.vlan = str(number(proto, "vlan.id" if name == "vlan" else "ieee8021ad.id"))
                    self.tags += 1
            elif name in ("ip", "ipv6"):
                if previous in ("ip", "ipv6"):
                    self.enter("ipip", 0)
                self.take_ip(proto, name)
                if self.fragment:
                    break
            elif name == "udp":
                if previous not in ("ip", "ipv6"):
                    break
                self.udp = (position(proto), number(proto, "udp.srcport"), number(proto, "udp.dstport"))
            elif name in TUNNELS:
                value = number(proto, TUNNELS[name])
                if name == "mpls":
                    if previous == "mpls":
                        self.vni = value
                        continue
                if name == "gre" and number(proto, "gre.proto") == 0x883e:
                    self.enter("gre", value)
                    break  # a WCCP redirect header
                if name == "gre" and number(proto, "gre.proto") == 0x6558 and \
                        number(proto, "gre.flags_and_version") & 0xb000 == 0x2000:
                    self.enter("nvgre", value >> 8)
                elif name == "erspan" and self.tunnel == "gre":
                    self.tunnel, self.vni = "erspan", value
                else:
                    self.enter(NAMES.get(name, name), value)
            elif name not in PASSED:
                break
            if name not in PASSED:
                previous = name

    def enter(self, tunnel, vni):
        self.tunnel, self.vni, self.layers = tunnel, vni, self.layers + 1

    def take_ip(self, proto, name):
        self.udp = None
        source, destination = fields(proto, name + ".src"), fields(proto, name + ".dst")
        if not source or not destination:
            self.faulty = True
            return
        self.ip = (4 if name == "ip" else 6, position(proto), source[0].get("show"), destination[0].get("show"))
        if name == "ip":
            self.fragment = number(proto, "ip.flags.mf") != 0 or number(proto, "ip.frag_offset") != 0
        else:
            self.fragment = any(int(f.get("value") or "0", 16) for n in ("ipv6.fraghdr.offset", "ipv6.fraghdr.more")
                                for f in fields(proto, n))


# Fates in which penstock has found something wrong, or more than it takes: its description ends there.
STOPPED = {"runt", "too_long", "vlan_truncated", "vlan_depth", "ipv4_truncated", "ipv4_header", "ipv6_truncated",
           "ipv6_header", "ipv6_extension", "udp_truncated", "udp_length", "udp_checksum", "tunnel_layers", "tunnel_truncated",
           "mpls", "pppoe", "vxlan", "geneve", "gre", "erspan", "gtp"}


# Captures with frames that tshark follows all the same: an IPv4 total length of 0 (segmentation offload) or beyond the frame, an
# IPv6 payload beyond it, a routing header with segments left (what follows it is not yet for the address it names).
REFUSED = {"hncp_dhcpv4data-oobr.pcap": 1, "icmp-cksum-oobr-3.pcapng": 1, "icmp-length-zero.pcapng": 1,
           "ipv4_invalid_total_length.pcap": 1, "ipv4_tcp_http_xml_tso.pcap": 1, "ipv6-routing-header.pcap": 4,
           "ipv6-srh-ext-header.pcap": 1, "ipv6-srh-insert-cksum.pcap": 1, "ipv6_invalid_length_2.pcap": 1, "kday4.pcap": 1,
           "kday7.pcap": 1}


def compare(line, theirs):
    """The differences of one frame: a list of texts."""
    (_, fate, vlan, tags, layers, tunnel, vni, family, l3, source, destination, l4, sport, dport) = line.split()
    wrong = []

    def same(what, ours, other):
        if str(ours) != str(other):
            wrong.append(f"{what}: penstock {ours}, tshark {other}")

    same("vlan", vlan, theirs.vlan)
    same("tags", tags, theirs.tags)
    same("tunnel", tunnel, theirs.tunnel)
    if tunnel == theirs.tunnel:
        same("number", vni, theirs.vni)
    if theirs.ip:
        same("family", family, theirs.ip[0])
        same("offset of IP", l3, theirs.ip[1])
        if family != "0":
            same("source", ipaddress.ip_address(source), ipaddress.ip_address(theirs.ip[2]))
            same("destination", ipaddress.ip_address(destination), ipaddress.ip_address(theirs.ip[3]))
    else:
        same("family", family, 0)
    if fate == "accepted":
        same("UDP", (int(l4), int(sport), int(dport)) if l4 != "-" else None, theirs.udp)
    return wrong


def main():
    ours = [line for line in open(sys.argv[1], encoding="ascii") if not line.startswith("#")]
    files = [line[2:].strip() for line in open(sys.argv[1], encoding="utf-8") if line.startswith("#")]
    count, refused, different = collections.Counter(), collections.Counter(), 0
    index = 0
    for _, packet in tree.iterparse(sys.argv[2]):
        if packet.tag != "packet":
            continue
        line, file = ours[index], files[index]
        index += 1
        theirs = Theirs(packet)
        if theirs.faulty:
            count["found faulty by tshark"] += 1
        elif line.split()[1] in STOPPED:
            count["found faulty by penstock"] += 1
            name = os.path.basename(file)
            refused[name] += 1
            if refused[name] > REFUSED.get(name, 0):
                different += 1
                print(f"{file}, frame {index}: only penstock finds it faulty: {line.strip()}")
        else:
            wrong = compare(line, theirs)
            count["compared"] += 1
            count["of them in tunnels"] += theirs.layers > 0
            count["of them UDP"] += theirs.udp is not None
            if wrong:
                different += 1
                print(f"{file}, frame {index}: {'; '.join(wrong)}")
        packet.clear()
    print(f"# {index} frames: " + ", ".join(f"{n} {what}" for what, n in sorted(count.items())))
    return 1 if different or index != len(ours) else 0


sys.exit(main())
