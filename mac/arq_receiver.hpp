// SPDX-License-Identifier: MIT
// The receiving half: numbered fragments in, complete SDUs out, in order per priority, without duplicates; block
// acknowledgements report what has arrived. Also reassembles broadcasts, which are not acknowledged.
//
//     Target, FragmentView -> [ArqReceiver] -> Sdu          [ArqReceiver] -> base and bitmap of a BlockAck
//
// Everything before the sender's floor is acknowledged or given up: an SDU that misses a part there is dropped, and
// what waited behind it is delivered. Spec: docs/spec/mac.md, 6 "Delivery".
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "mac/frame_format.hpp"

namespace meshnet::mac {

class ArqReceiver {
public:
    static constexpr std::size_t kWindow = 1'024;  ///< fragments beyond the base that are kept
    /// Memory of SDUs not yet complete or not yet in order, what their pieces cost included. 64 neighbours, each with a
    /// receiver of this size and one of kBroadcastHeldBytes, hold less than 16 MB.
    static constexpr std::size_t kMaxHeldBytes = 224 * 1'024;
    static constexpr std::size_t kBroadcastHeldBytes = 16 * 1'024;
    /// Of these an eighth is for fragments before the newest only: what is missing finds room when all else is taken.
    static constexpr std::size_t kGapShare = 8;

    explicit ArqReceiver(std::size_t max_held_bytes = kMaxHeldBytes) noexcept : max_held_bytes_(max_held_bytes) {}

    /// False for what no honest sender says: the floor of the present session lies beyond all that it may have sent.
    [[nodiscard]] bool plausible(const Target& target) const noexcept;

    /// A burst names us as a target. A new session forgets the old one. SDUs let go are appended to `out` (peer is left
    /// 0).
    void on_target(const Target& target, std::vector<Sdu>& out);
    /// A fragment of the present session. Refused (not acknowledged) if there is no room; duplicates are counted.
    void on_fragment(const FragmentView& fragment, std::vector<Sdu>& out);
    /// base, bitmap and session of an acknowledgement.
    void fill(BlockAck& ack) const;
    void reset() noexcept;

    [[nodiscard]] bool synchronised() const noexcept { return synchronised_; }
    [[nodiscard]] std::uint64_t duplicates() const noexcept { return duplicates_; }
    [[nodiscard]] std::size_t held_bytes() const noexcept { return held_bytes_; }

private:
    // One SDU coming in, kept under the (extended) number of its first fragment.
    struct Partial {
        Priority priority{};
        std::uint16_t sdu = 0;
        std::uint8_t count = 0;
        std::uint8_t arrived = 0;
        std::size_t bytes = 0;
        std::size_t held = 0;  // bytes, and what it costs to keep them
        std::vector<Bytes> pieces;
    };

    [[nodiscard]] bool has(std::uint64_t n) const noexcept { return received_.test(n % kWindow); }
    void advance_to(std::uint64_t base);
    void settle(std::vector<Sdu>& out);

    bool synchronised_ = false;
    std::uint16_t session_ = 0;
    std::uint64_t base_ = 0;    // extended: never wraps
    std::uint64_t newest_ = 0;  // highest number taken
    std::bitset<kWindow> received_;
    std::map<std::uint64_t, Partial> partials_;
    std::array<std::optional<std::uint16_t>, 3> next_sdu_{};
    std::size_t max_held_bytes_;
    std::size_t held_bytes_ = 0;
    std::uint64_t duplicates_ = 0;
};

}  // namespace meshnet::mac
