// SPDX-License-Identifier: MIT
// The runs of one destination, by what it signed: a restarted station is another instance, and so is a second station
// with the same key. Spec: docs/spec/net.md, "The same key twice".
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/time.hpp"
#include "net/route_messages.hpp"

namespace meshnet::net {

class KeyInstances {
public:
    static constexpr Duration kRemembered = 600s;
    static constexpr std::size_t kMost = 4;
    struct Statement {  // the newest of an instance
        std::uint32_t seqno = 0;
        Instance instance;
        Signature signature{};
        Instant at{};
    };

    /// A statement whose signature was verified. False if it is an old one, which proves nothing about today.
    bool add(Instant now, const Statement& statement);
    /// The newest statements of instances other than `boot`, of the last ten minutes.
    [[nodiscard]] std::vector<Statement> others(Instant now, std::uint64_t boot) const;
    /// More than one instance is remembered.
    [[nodiscard]] bool several() const noexcept { return statements_.size() > 1; }
    /// The destination itself announced `boot` in the newest session with us. True if an instance that another had
    /// replaced is back: a station that starts again never has its old number.
    [[nodiscard]] bool back_again(std::uint64_t boot);

private:
    std::vector<Statement> statements_;  // one per instance, the longest silent first
    std::vector<std::uint64_t> direct_;  // instances in the order in which sessions brought them, the newest last
};

}  // namespace meshnet::net
