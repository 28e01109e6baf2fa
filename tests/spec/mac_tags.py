#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the tags of the vector `tagged` of docs/spec/mac.md with a SipHash of its own.

    mac_tags.py SPEC      exit 0: every tag holds and covers every bit before it
"""
import re
import sys

MASK = (1 << 64) - 1


def rotate(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & MASK


def siphash24(key, data):
    """SipHash-2-4 of the paper by Aumasson and Bernstein (2012), section 2."""
    k0 = int.from_bytes(key[:8], "little")
    k1 = int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[2] = (v[2] + v[3]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[1]) & MASK
            v[0] = (v[0] + v[3]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = rotate(v[2], 32)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")


def sub_frames(payload):
    """(type, body) of each sub-frame of a burst without damage."""
    out = []
    at = 0
    while at < len(payload):
        assert payload[at] == 0xD7, "no delimiter"
        word = int.from_bytes(payload[at + 1:at + 3], "big")
        length = word & 0x1FFF
        out.append((word >> 13, payload[at + 4:at + 4 + length]))
        at += length + 8
    return out


def tags_of(payload):
    """(kind, common part of the header, entry, tag) of each tag."""
    frames = sub_frames(payload)
    assert frames[0][0] == 0 and frames[0][1][0] >> 4 == 2 and frames[0][1][1] & 8, "no header with tags"
    header = frames[0][1]
    common = header[:21]
    out = []
    for i in range(header[0] & 7):
        entry = header[21 + 15 * i:29 + 15 * i]
        out.append((1, common, entry, header[29 + 15 * i:36 + 15 * i]))
    for kind, body in frames[1:]:
        if kind == 5:
            out.append((2, common, body[7:], body[:7]))
        elif kind == 6:
            heard = body[12]
            entry = body[:13 + 15 * heard]
            for i in range(heard):
                at = len(entry) + 4 * i
                out.append((3, common, entry, body[at:at + 4]))
        elif kind == 7:
            members, slots = body[7], body[8]
            entry = body[:9 + 4 * members + 5 * slots]
            for i in range(members):
                at = len(entry) + 7 * i
                out.append((4, common, entry, body[at:at + 7]))
    return out


def main():
    # The last line of appendix A of the paper: key 00..0f, input 00..0e.
    assert siphash24(bytes(range(16)), bytes(range(15))).hex() == "e545be4961ca29a1", "this SipHash is wrong"
    with open(sys.argv[1], encoding="utf-8") as file:
        found = re.search(r"^vector: tagged\n((?:[0-9a-f]+\n)+)", file.read(), re.MULTILINE)
    if not found:
        sys.exit("no vector `tagged` in " + sys.argv[1])
    key = bytes(range(16))
    tags = tags_of(bytes.fromhex(found.group(1).replace("\n", "")))
    if [t[0] for t in tags] != [1, 1, 2, 3, 4, 4]:
        sys.exit("the vector has other tags than it should")
    for kind, common, entry, tag in tags:
        if siphash24(key, bytes([kind]) + common + entry)[:len(tag)] != tag:
            sys.exit(f"the tag {tag.hex()} of kind {kind} does not hold")


if __name__ == "__main__":
    main()
