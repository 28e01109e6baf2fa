-- SPDX-License-Identifier: MIT
-- Wireshark dissector of capture files that GNU Radio's block Packet Capture writes (link type DLT_USER0).
--
--     cp tools/wireshark/meshnet.lua ~/.local/lib/wireshark/plugins/     or     wireshark -X lua_script:tools/wireshark/meshnet.lua
--
-- Capture header: docs/notes/gnuradio.md, "Packet capture". Bursts: docs/spec/mac.md, 2. Every value is read only where the
-- bytes are: a frame with block errors is shown as far as its sub-frames can be found.

local CAPTURE_HEADER = 56
local MAGIC = 0xD7
local TYPES = {
    [0] = "header", [1] = "fragment", [2] = "block acknowledgement", [3] = "hello", [4] = "open frame",
    [5] = "block acknowledgement with tag", [6] = "hello with tags",
}
local COMMON_TAGGED, COMMON_BARE, TAG, HEARD_TAG = 21, 20, 7, 4
local PRIORITIES = { [0] = "control", [1] = "interactive", [2] = "bulk" }

local radio = Proto("meshnet_radio", "meshnet frame as received")
local burst = Proto("meshnet", "meshnet burst")

local r = radio.fields
r.version = ProtoField.uint8("meshnet_radio.version", "Version of this header")
r.length = ProtoField.uint8("meshnet_radio.header_length", "Length of this header")
r.sent = ProtoField.bool("meshnet_radio.sent", "Sent by this station")
r.crc_ok = ProtoField.bool("meshnet_radio.crc_ok", "All code blocks error-free", 8, nil, 0x01)
r.inverted = ProtoField.bool("meshnet_radio.inverted", "Spectrum inverted", 8, nil, 0x02)
r.redundancy = ProtoField.uint16("meshnet_radio.redundancy_version", "Redundancy version")
r.blocks = ProtoField.uint16("meshnet_radio.blocks", "Code blocks")
r.blocks_ok = ProtoField.uint16("meshnet_radio.blocks_ok", "Code blocks error-free")
r.snr = ProtoField.double("meshnet_radio.snr_db", "SNR in dB")
r.power = ProtoField.double("meshnet_radio.power_dbfs", "Power in dBFS")
r.cfo = ProtoField.double("meshnet_radio.cfo_hz", "Carrier offset in Hz")
r.sfo = ProtoField.double("meshnet_radio.sfo_ppm", "Clock offset in ppm")
r.index = ProtoField.uint64("meshnet_radio.sample_index", "First sample")
r.samples = ProtoField.uint64("meshnet_radio.length_samples", "Samples")
r.mode = ProtoField.string("meshnet_radio.mode", "Mode")

local f = burst.fields
f.type = ProtoField.uint8("meshnet.type", "Type", base.DEC, TYPES, 0xE0)
f.length = ProtoField.uint16("meshnet.length", "Length", base.DEC, nil, 0x1FFF)
f.crc8 = ProtoField.uint8("meshnet.crc8", "CRC-8", base.HEX)
f.crc32 = ProtoField.uint32("meshnet.crc32", "CRC-32", base.HEX)
f.version = ProtoField.uint8("meshnet.version", "Version", base.DEC, nil, 0xF0)
f.wants = ProtoField.bool("meshnet.wants_txop", "Wants another TXOP", 8, nil, 0x08)
f.targets = ProtoField.uint8("meshnet.targets", "Targets", base.DEC, nil, 0x07)
f.chain = ProtoField.uint8("meshnet.chain", "Chain left", base.DEC, nil, 0xF0)
f.sender = ProtoField.uint32("meshnet.sender", "Sender", base.HEX)
f.epoch = ProtoField.uint16("meshnet.epoch", "Epoch")
f.burst = ProtoField.uint32("meshnet.burst", "Burst")
f.tagged = ProtoField.bool("meshnet.tagged", "With tags", 8, nil, 0x08)
f.witnesses = ProtoField.uint8("meshnet.witnesses", "Witnesses among the targets", base.DEC, nil, 0x07)
f.tag = ProtoField.bytes("meshnet.tag", "Tag")
f.open = ProtoField.bytes("meshnet.open.data", "Data")
f.jitter = ProtoField.double("meshnet.hello.jitter_ms", "Jitter in ms")
f.recovery = ProtoField.double("meshnet.hello.recovery_ms", "Recovery in ms")
f.gap = ProtoField.double("meshnet.gap_ms", "Gap in ms")
f.grantee = ProtoField.uint32("meshnet.grantee", "Grantee", base.HEX)
f.grant = ProtoField.double("meshnet.grant_ms", "Grant in ms")
f.nav = ProtoField.double("meshnet.nav_ms", "NAV in ms")
f.backlog = ProtoField.uint32("meshnet.backlog", "Backlog in bytes")
f.peer = ProtoField.uint32("meshnet.peer", "Station", base.HEX)
f.session = ProtoField.uint16("meshnet.session", "Session")
f.floor = ProtoField.uint16("meshnet.floor", "Floor")
f.target = ProtoField.uint8("meshnet.fragment.target", "Target", base.DEC, nil, 0xE0)
f.priority = ProtoField.uint8("meshnet.fragment.priority", "Priority", base.DEC, PRIORITIES, 0x18)
f.number = ProtoField.uint16("meshnet.fragment.number", "Number")
f.sdu = ProtoField.uint16("meshnet.fragment.sdu", "SDU")
f.index = ProtoField.uint8("meshnet.fragment.index", "Index")
f.count = ProtoField.uint8("meshnet.fragment.count", "Count")
f.data = ProtoField.bytes("meshnet.fragment.data", "Data")
f.ack_snr = ProtoField.double("meshnet.snr_db", "Heard at, dB")
f.base = ProtoField.uint16("meshnet.ack.base", "Base")
f.bitmap = ProtoField.bytes("meshnet.ack.bitmap", "Bitmap")
f.hello = ProtoField.uint16("meshnet.hello.number", "Hello")
f.stamp = ProtoField.uint64("meshnet.hello.stamp", "Time stamp in ns")
f.interval = ProtoField.uint16("meshnet.hello.interval_ms", "Interval in ms")
f.truncated = ProtoField.bool("meshnet.hello.truncated", "Not all are listed", 8, nil, 0x01)
f.heard = ProtoField.uint8("meshnet.hello.heard", "Stations heard")

local function crc8(range)
    local crc = 0
    for i = 0, range:len() - 1 do
        crc = bit.bxor(crc, range(i, 1):uint())
        for _ = 1, 8 do
            crc = bit.band(crc, 0x80) ~= 0 and bit.band(bit.bxor(bit.lshift(crc, 1), 0x07), 0xFF) or bit.lshift(crc, 1)
        end
    end
    return crc
end

local function signed8(range)
    local v = range:uint()
    return v >= 128 and v - 256 or v
end

local function gap_ms(range)
    local code = range:uint()
    return code < 128 and code * 0.25 or 32 + (code - 128) * 4
end

local function add_header(tree, body)
    if body:len() < COMMON_BARE then return "header cut" end
    local tagged = bit.band(body(1, 1):uint(), 0x08) ~= 0
    local common = tagged and COMMON_TAGGED or COMMON_BARE
    local each = tagged and 8 + TAG or 8
    if body:len() < common then return "header cut" end
    tree:add(f.version, body(0, 1))
    tree:add(f.wants, body(0, 1))
    tree:add(f.targets, body(0, 1))
    tree:add(f.chain, body(1, 1))
    tree:add(f.tagged, body(1, 1))
    tree:add(f.witnesses, body(1, 1))
    tree:add(f.sender, body(2, 4))
    local number = tagged and body(6, 4) or body(8, 1)
    if not tagged then tree:add(f.epoch, body(6, 2)) end
    tree:add(f.burst, number)
    local rest = body(common - 11)
    tree:add(f.gap, rest(0, 1), gap_ms(rest(0, 1)))
    tree:add(f.grantee, rest(1, 4))
    tree:add(f.grant, rest(5, 2), rest(5, 2):uint() * 0.016)
    tree:add(f.nav, rest(7, 2), rest(7, 2):uint() * 0.016)
    tree:add(f.backlog, rest(9, 2), rest(9, 2):uint() * 64)
    for at = common, body:len() - each, each do
        local target = tree:add(burst, body(at, each), string.format("Target %d", (at - common) / each))
        target:add(f.peer, body(at, 4))
        target:add(f.session, body(at + 4, 2))
        target:add(f.floor, body(at + 6, 2))
        if tagged then target:add(f.tag, body(at + 8, TAG)) end
    end
    return string.format("burst %d of %08x", number:uint(), body(2, 4):uint())
end

local function add_open(tree, body)
    if body:len() < 5 then return "open frame cut" end
    tree:add(f.peer, body(0, 4))
    tree:add(f.open, body(4))
    return string.format("open frame for %08x", body(0, 4):uint())
end

local function add_fragment(tree, body)
    if body:len() < 8 then return "fragment cut" end
    tree:add(f.target, body(0, 1))
    tree:add(f.priority, body(0, 1))
    tree:add(f.number, body(1, 2))
    tree:add(f.sdu, body(3, 2))
    tree:add(f.index, body(5, 1))
    tree:add(f.count, body(6, 1))
    tree:add(f.data, body(7))
    return string.format("fragment %d/%d of SDU %d", body(5, 1):uint() + 1, body(6, 1):uint(), body(3, 2):uint())
end

local function add_ack(tree, body)
    if body:len() < 10 then return "acknowledgement cut" end
    tree:add(f.peer, body(0, 4))
    tree:add(f.session, body(4, 2))
    tree:add(f.burst, body(6, 1))
    tree:add(f.ack_snr, body(7, 1), signed8(body(7, 1)) * 0.25)
    tree:add(f.base, body(8, 2))
    if body:len() > 10 then tree:add(f.bitmap, body(10)) end
    return string.format("ack for %08x", body(0, 4):uint())
end

local function add_tagged_ack(tree, body)
    if body:len() < TAG + 11 then return "acknowledgement cut" end
    tree:add(f.tag, body(0, TAG))
    local entry = body(TAG)
    tree:add(f.peer, entry(0, 4))
    tree:add(f.session, entry(4, 2))
    tree:add(f.burst, entry(6, 2))
    tree:add(f.ack_snr, entry(8, 1), signed8(entry(8, 1)) * 0.25)
    tree:add(f.base, entry(9, 2))
    if entry:len() > 11 then tree:add(f.bitmap, entry(11)) end
    return string.format("ack for %08x", entry(0, 4):uint())
end

local function add_hello_of(tag)
    return function(tree, body)
        if body:len() < 13 then return "hello cut" end
        tree:add(f.hello, body(0, 2))
        tree:add(f.stamp, body(2, 6), body(2, 6):uint64())
        tree:add(f.interval, body(8, 1), body(8, 1):uint() * 16)
        tree:add(f.jitter, body(9, 1), gap_ms(body(9, 1)))
        tree:add(f.recovery, body(10, 1), gap_ms(body(10, 1)))
        tree:add(f.truncated, body(11, 1))
        tree:add(f.heard, body(12, 1))
        local count = body(12, 1):uint()
        if body:len() < 13 + count * (13 + tag) then return "hello cut" end
        for n = 0, count - 1 do
            local at = 13 + 13 * n
            local heard = tree:add(burst, body(at, 13), string.format("Heard %08x", body(at, 4):uint()))
            heard:add(f.peer, body(at, 4))
            heard:add(f.ack_snr, body(at + 4, 1), signed8(body(at + 4, 1)) * 0.25)
            heard:add(f.hello, body(at + 5, 2))
            heard:add(f.stamp, body(at + 7, 6), body(at + 7, 6):uint64())
            if tag > 0 then heard:add(f.tag, body(13 + 13 * count + tag * n, tag)) end
        end
        return string.format("hello %d", body(0, 2):uint())
    end
end

local READERS = {
    [0] = add_header, [1] = add_fragment, [2] = add_ack, [3] = add_hello_of(0), [4] = add_open, [5] = add_tagged_ack,
    [6] = add_hello_of(HEARD_TAG),
}

function burst.dissector(buffer, packet, tree)
    local said = {}
    local at = 0
    while at + 8 <= buffer:len() do
        local length = bit.band(buffer(at + 1, 2):uint(), 0x1FFF)
        local whole = at + 8 + length <= buffer:len()
        if buffer(at, 1):uint() == MAGIC and whole and crc8(buffer(at, 3)) == buffer(at + 3, 1):uint() then
            local kind = bit.rshift(buffer(at + 1, 1):uint(), 5)
            local part = tree:add(burst, buffer(at, 8 + length), "meshnet " .. (TYPES[kind] or "unknown sub-frame"))
            part:add(f.type, buffer(at + 1, 1))
            part:add(f.length, buffer(at + 1, 2))
            part:add(f.crc8, buffer(at + 3, 1))
            if READERS[kind] and length > 0 then
                said[#said + 1] = READERS[kind](part, buffer(at + 4, length):tvb()():range())
            end
            part:add(f.crc32, buffer(at + 4 + length, 4))
            at = at + 8 + length
        else
            at = at + 1
        end
    end
    return table.concat(said, ", ")
end

function radio.dissector(buffer, packet, tree)
    if buffer:len() < CAPTURE_HEADER then return 0 end
    local length = buffer(1, 1):uint()
    if length < CAPTURE_HEADER or length > buffer:len() then return 0 end
    packet.cols.protocol = "meshnet"
    local head = tree:add(radio, buffer(0, length))
    head:add(r.version, buffer(0, 1))
    head:add(r.length, buffer(1, 1))
    head:add(r.sent, buffer(2, 1))
    head:add(r.crc_ok, buffer(3, 1))
    head:add(r.inverted, buffer(3, 1))
    head:add(r.redundancy, buffer(4, 2))
    head:add(r.blocks, buffer(6, 2))
    head:add(r.blocks_ok, buffer(8, 2))
    head:add(r.snr, buffer(10, 2), buffer(10, 2):int() / 100)
    head:add(r.power, buffer(12, 2), buffer(12, 2):int() / 100)
    head:add(r.cfo, buffer(16, 4), buffer(16, 4):int() / 10)
    head:add(r.sfo, buffer(20, 4), buffer(20, 4):int() / 1000)
    head:add(r.index, buffer(24, 8))
    head:add(r.samples, buffer(32, 8))
    head:add(r.mode, buffer(40, 16), buffer(40, 16):stringz())
    local what = buffer:len() > length and burst.dissector(buffer(length):tvb(), packet, tree) or ""
    packet.cols.info = buffer(40, 16):stringz() .. (what ~= "" and ": " .. what or "")
    return buffer:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, radio)
