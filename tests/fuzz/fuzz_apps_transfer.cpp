// SPDX-License-Identifier: MIT
// Packets of the transfer without TUN: the first byte chooses packet or message; what is read writes back to the same
// bytes, and both ends of a transfer survive it.
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "apps/transfer/transfer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace meshnet;
    if (size == 0) {
        return 0;
    }
    const ByteView rest{data + 1, size - 1};
    if (data[0] % 2 == 0) {
        if (const auto datagram = apps::decode_udp(rest)) {
            assert(datagram->payload.size() + 48 == rest.size());
        }
        return 0;
    }
    const auto message = apps::decode_transfer(rest);
    if (!message) {
        return 0;
    }
    const Bytes again = apps::encode_transfer(*message);
    assert(Bytes(rest.begin(), rest.end()) == again);

    static const Bytes file(5'000, 0x11);
    apps::TransferSender sender(message->transfer, "f", file);
    apps::TransferReceiver receiver(message->transfer, {file.size(), apps::sha256(file), "f"});
    Instant now{1s};
    sender.on_message(now, {message->transfer, apps::TransferAck{}});
    for (int turn = 0; turn < 3; ++turn, now += 1s) {
        for (int polls = 0; sender.poll_transmit(now); ++polls) {
            assert(polls < 100);
        }
        sender.on_message(now, *message);
        receiver.on_message(now, *message);
        (void)receiver.poll_transmit(now);
    }
    return 0;
}
