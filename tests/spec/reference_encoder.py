# SPDX-License-Identifier: MIT
"""Second implementation of the sender of docs/spec/phy.md, made from that page and docs/spec/ldpc_graph.txt alone.

It reads the tables of profiles and modes out of the page, encodes the frames of tests/vectors/ and compares. It shares
no code with phy/ and needs nothing but Python: what it reproduces, a reader of the text can reproduce.

Usage: reference_encoder.py SOURCE_FOLDER
"""
import cmath
import math
import pathlib
import re
import sys

AMPLITUDE = 0.25
QPSK = [1]


# ---- the text -------------------------------------------------------------------------------------------------------

def table_rows(page, title):
    """Cells of the tables under the heading `title`, without heading rows."""
    section = re.split(r"^##+ ", page, flags=re.M)
    body = next(s for s in section if s.split("\n", 1)[0].strip() == title)
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in body.split("\n") if line.startswith("|")]
    return [row for row in rows[1:] if not set(row[0]) <= set("-")]


class Profile:
    def __init__(self, row):
        self.name = row[0]
        self.fft, self.prefix, self.carriers = int(row[2]), int(row[3]), int(row[4])

    def subcarrier(self, c):
        return c - self.carriers // 2 + (0 if c < self.carriers // 2 else 1)


class Mode:
    def __init__(self, cells):
        self.index, self.name, self.bits = int(cells[0]), cells[1], int(cells[2])
        self.num, self.den = (int(x) for x in cells[3].split("/"))
        self.spread = int(cells[4])


class Graph:
    def __init__(self, text):
        self.entries = []
        for line in text.split("\n"):
            words = line.split()
            if not words or words[0] == "#":
                continue
            if words[0] == "entry":
                self.entries.append([int(w) for w in words[1:]])
            elif words[0] == "largest_z":
                self.largest_z = [int(w) for w in words[1:]]


PILOTS = {"sparse": (0,), "dense": (0, 6)}


class FrameClass:
    def __init__(self, profile, row):
        numbers = [int(n) for n in re.findall(r"\d+", row[1])]
        self.chirp = numbers[0] if len(numbers) == 1 else max(numbers[0], profile.fft // numbers[1])
        self.training, self.copies = int(row[2]), int(row[3])
        self.dense = row[4] == "dense"

    def pilot_carriers(self, profile, s):
        offsets = PILOTS["dense" if self.dense else "sparse"]
        return {c for c in range(profile.carriers) for o in offsets if c % 13 == (5 * s + o) % 13}

    def per_symbol(self, profile):
        return profile.carriers // 13 * (11 if self.dense else 12)


class Text:
    def __init__(self, folder):
        page = (folder / "docs/spec/phy.md").read_text("utf-8")
        self.profiles = {row[0]: Profile(row) for row in table_rows(page, "Profiles")}
        self.modes = {row[1]: Mode(row) for row in table_rows(page, "Modes")}
        self.classes = {row[0]: row for row in table_rows(page, "Frame")}
        self.class_of = {row[1]: row[5] for row in table_rows(page, "Modes")}
        self.levels = {row[0]: [int(a) for a in row[1].split()] for row in table_rows(page, "Mapping")}
        self.graph = Graph((folder / "docs/spec/ldpc_graph.txt").read_text("utf-8"))

    def amplitudes(self, mode):
        return QPSK if mode.bits == 2 else self.levels[mode.name]

    def frame_class(self, profile, mode):
        return FrameClass(profile, self.classes[self.class_of[mode.name]])


# ---- bits -----------------------------------------------------------------------------------------------------------

def crc(bits, width, polynomial, start):
    state = start
    for bit in bits:
        top = (state >> (width - 1)) & 1
        state = (state << 1) & ((1 << width) - 1)
        if top ^ bit:
            state ^= polynomial
    return state


def crc24(bits):
    return crc(bits, 24, 0x864CFB, 0xB704CE)


def number(value, width):
    return [(value >> (width - 1 - i)) & 1 for i in range(width)]


def bytes_to_bits(data):
    return [bit for byte in data for bit in number(byte, 8)]


def pack(bits):
    padded = bits + [0] * (-len(bits) % 8)
    return bytes(int("".join(map(str, padded[i:i + 8])), 2) for i in range(0, len(padded), 8)).hex()


def digest(bits):
    return f"{len(bits)}:{crc24(bits):06x}:{pack(bits[:64])}"


def whitening(count):
    a = [1] * 13
    while len(a) < count + 13:
        a.append(a[-1] ^ a[-3] ^ a[-4] ^ a[-13])
    return a[13:13 + count]


def whiten(bits):
    return [b ^ w for b, w in zip(bits, whitening(len(bits)))]


def scramble(bits):
    state, out = 0x4A80, []
    for bit in bits:
        new = ((state >> 14) ^ (state >> 13)) & 1
        state = ((state << 1) | new) & 0x7FFF
        out.append(bit ^ new)
    return out


# ---- header ---------------------------------------------------------------------------------------------------------

def header_codeword(mode, length, version):
    bits = number(1, 2) + number(mode.index, 5) + number(length, 15) + number(version, 2) + [0] * 24
    bits += number(crc(bits, 16, 0x1021, 0xFFFF), 16)
    coded = []
    for i in range(64):
        window = [bits[(i - d) % 64] for d in range(9)]  # the newest input first
        for generator in (0o463, 0o535, 0o733, 0o745):
            taps = number(generator, 9)
            coded.append(sum(w & t for w, t in zip(window, taps)) % 2)
    return coded


def header_bits(codeword, count):
    return [codeword[(37 * (i % 256) + 53 * (i // 256)) % 256] for i in range(count)]


# ---- payload --------------------------------------------------------------------------------------------------------

def ldpc_columns(graph, info):
    """82 columns of Z bits each; filler is zero."""
    z = 8 * ((len(info) + 127) // 128)
    table = next(t for t, last in enumerate(graph.largest_z) if z <= last)
    info = info + [0] * (16 * z - len(info))
    columns = [info[z * q:z * q + z] for q in range(16)] + [None] * 66

    def checks(row):
        """XOR over the known columns of check `row`."""
        total = [0] * z
        for r, q, *shifts in graph.entries:
            if r == row and columns[q] is not None:
                t = shifts[table] % z
                moved = columns[q][t:] + columns[q][:t]
                total = [a ^ b for a, b in zip(total, moved)]
        return total

    sums = [checks(r) for r in range(4)]
    columns[16] = [a ^ b ^ c ^ d for a, b, c, d in zip(*sums)]
    for r in range(3):
        columns[17 + r] = checks(r)
    for r in range(4, 66):
        columns[16 + r] = checks(r)
    return z, columns


def mother_codeword(graph, info):
    z, columns = ldpc_columns(graph, info)
    order = [2, 4, 5, *range(7, 16), *range(16, 20), 3, 6, *range(20, 82)]
    out = []
    for q in order:
        sent = min(z, max(0, len(info) - q * z)) if q < 16 else z
        out += columns[q][:sent]
    return out


def stride(points):
    if points < 3:
        return 1
    s = max(1, math.floor(0.6180339887498949 * points))
    while math.gcd(s, points) != 1:
        s += 1
    return s


def block_bits(graph, data, bits_per_point, points, version):
    bits = bytes_to_bits(data)
    info = scramble(bits + number(crc24(bits), 24))
    word = mother_codeword(graph, info)
    total = points * bits_per_point
    e = [word[(version * total + i) % len(word)] for i in range(total)]
    s = stride(points)
    return [e[b * points + j * s % points] for j in range(points) for b in range(bits_per_point)]


def payload_bits(graph, mode, data, version, per_symbol):
    count = -(-len(data) // 1053)
    base, longer = divmod(len(data), count)
    lengths = [base + (1 if b < longer else 0) for b in range(count)]
    points = [-(-(8 * n + 24) * mode.den // (mode.bits * mode.num)) * mode.spread for n in lengths]
    fill = -sum(points) % per_symbol
    points = [p + fill // count + (1 if b < fill % count else 0) for b, p in enumerate(points)]
    out, at = [], 0
    for n, p in zip(lengths, points):
        out += block_bits(graph, data[at:at + n], mode.bits, p, version)
        at += n
    return out


# ---- samples --------------------------------------------------------------------------------------------------------

def axis(bits, amplitudes):
    r, place = 1, 0
    for v in bits[1:]:
        r ^= v ^ 1
        place = 2 * place + r
    level = amplitudes[place]
    return -level if bits[0] else level


def point(bits, amplitudes):
    power = 2 * sum(a * a for a in amplitudes) / len(amplitudes)
    return complex(axis(bits[0::2], amplitudes), axis(bits[1::2], amplitudes)) / math.sqrt(power)


def inverse_transform(values, roots):
    """sum_k values[k] exp(+j 2 pi k n / N), N a power of two; roots[i] = exp(+j 2 pi i / N)."""
    n = len(values)
    if n == 1:
        return values
    even = inverse_transform(values[0::2], roots[0::2])
    odd = inverse_transform(values[1::2], roots[0::2])
    turned = [w * o for w, o in zip(roots, odd)]
    return [e + t for e, t in zip(even, turned)] + [e - t for e, t in zip(even, turned)]


class Modulator:
    def __init__(self, profile):
        self.profile = profile
        self.roots = [cmath.exp(2j * math.pi * i / profile.fft) for i in range(profile.fft // 2)]

    def symbol(self, carriers):
        p = self.profile
        bins = [0j] * p.fft
        for c, x in enumerate(carriers):
            bins[p.subcarrier(c) % p.fft] = x * AMPLITUDE / math.sqrt(p.carriers)
        x = inverse_transform(bins, self.roots)
        return x[p.fft - p.prefix:] + x


def preamble(profile, length):
    rate = profile.carriers / (profile.fft * length)
    up = [cmath.exp(1j * math.pi * rate * (n - (length - 1) / 2) ** 2) for n in range(length)]
    return [AMPLITUDE * u for u in up] + [AMPLITUDE * u.conjugate() for u in up]


def pilot_signs():
    state, out = 0x7F, []
    for _ in range(127):
        new = ((state >> 6) ^ (state >> 3)) & 1
        state = ((state << 1) | new) & 0x7F
        out.append(-1 if new else 1)
    return out


SIGNS = pilot_signs()


def symbols_of(modulator, kind, bits, amplitudes, first_symbol):
    """Samples of the symbols that `bits` fill exactly."""
    per_point = 2 * len(amplitudes).bit_length()
    p, out, at, s = modulator.profile, [], 0, first_symbol
    while at < len(bits):
        pilots = kind.pilot_carriers(p, s)
        carriers = []
        for c in range(p.carriers):
            if c in pilots:
                carriers.append(complex(SIGNS[(c + 7 * s) % 127]))
            else:
                carriers.append(point(bits[at:at + per_point], amplitudes))
                at += per_point
        out += modulator.symbol(carriers)
        s += 1
    assert at == len(bits), "bits do not fill whole symbols"
    return out


# ---- comparison -----------------------------------------------------------------------------------------------------

def payload_of(length):
    return bytes(i % 251 for i in range(length))


def compare_part(name, samples, line, where):
    words = line.split()
    assert words[0] == name, (where, line)
    count, energy, re_, im_, first_re, first_im = int(words[1]), *(float(w) for w in words[2:])
    assert len(samples) == count, (where, name, len(samples), count)
    made = sum(abs(x) ** 2 for x in samples)
    assert abs(made - energy) < 1e-4 * energy, (where, name, "energy", made, energy)
    turns = [cmath.exp(-2j * math.pi * i / 509) for i in range(509)]
    projection = sum(x * turns[n * n % 509] for n, x in enumerate(samples))
    assert abs(projection - complex(re_, im_)) < 1e-3 * math.sqrt(energy), (where, name, projection, re_, im_)
    assert abs(samples[0] - complex(first_re, first_im)) < 1e-5, (where, name, samples[0])


def check_frame(text, lines):
    profile_name, mode_name, length, version, codeword, header, payload = lines[0].split()
    profile, mode = text.profiles[profile_name], text.modes[mode_name]
    data, version = payload_of(int(length)), int(version)
    kind = text.frame_class(profile, mode)
    per_symbol = kind.per_symbol(profile)
    where = f"{profile_name} {mode_name} {length} {version}"

    coded = header_codeword(mode, len(data), version)
    assert pack(coded) == codeword, (where, "codeword")
    header_symbols = -(-kind.copies * 128 // per_symbol)
    sent = whiten(header_bits(coded, 2 * header_symbols * per_symbol))
    assert digest(sent) == header, (where, "header")
    bits = whiten(payload_bits(text.graph, mode, data, version, per_symbol))
    assert digest(bits) == payload, (where, "payload", digest(bits), payload)

    modulator = Modulator(profile)
    training = [cmath.exp(-1j * math.pi * 7 * c * c / profile.carriers) for c in range(profile.carriers)]
    parts = {
        "preamble": preamble(profile, kind.chirp),
        "training": modulator.symbol(training) * kind.training,
        "header": symbols_of(modulator, kind, sent, QPSK, 0),
        "payload": symbols_of(modulator, kind, bits, text.amplitudes(mode), header_symbols),
    }
    for (name, samples), line in zip(parts.items(), lines[1:], strict=True):
        compare_part(name, samples, line, where)


def lines_of(path):
    return [line for line in path.read_text().split("\n") if line and not line.startswith("#")]


def main():
    folder = pathlib.Path(sys.argv[1])
    text = Text(folder)
    assert pack(whitening(32)) == "42f250fc"
    assert crc24(bytes_to_bits(b"123456789")) == 0x21CF02
    assert crc(bytes_to_bits(b"123456789"), 16, 0x1021, 0xFFFF) == 0x29B1
    blocks = lines_of(folder / "tests/vectors/phy_blocks.txt")
    for line in blocks:
        length, per_point, points, version, expected = line.split()
        made = digest(block_bits(text.graph, payload_of(int(length)), int(per_point), int(points), int(version)))
        assert made == expected, (line, made)
    frames = lines_of(folder / "tests/vectors/phy_frames.txt")
    assert len(frames) % 5 == 0 and frames and blocks
    for i in range(0, len(frames), 5):
        check_frame(text, frames[i:i + 5])
    print(f"{len(blocks)} blocks and {len(frames) // 5} frames agree with the specification")


if __name__ == "__main__":
    main()
