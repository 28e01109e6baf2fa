// SPDX-License-Identifier: MIT
#include "net/key_instances.hpp"

#include <algorithm>

namespace meshnet::net {

namespace {

constexpr std::uint64_t kOutdated = 64;  // seqnos behind the newest: a statement that somebody kept
constexpr std::size_t kDirect = 8;

}  // namespace

bool KeyInstances::add(Instant now, const Statement& statement) {
    for (const Statement& s : statements_) {
        const bool same = s.instance.boot == statement.instance.boot;
        if (same ? statement.seqno <= s.seqno : s.seqno > statement.seqno + kOutdated) {
            return false;
        }
    }
    std::erase_if(statements_, [&](const Statement& s) { return s.instance.boot == statement.instance.boot; });
    statements_.push_back(statement);
    statements_.back().at = now;
    if (statements_.size() > kMost) {
        statements_.erase(statements_.begin());
    }
    return true;
}

std::vector<KeyInstances::Statement> KeyInstances::others(Instant now, std::uint64_t boot) const {
    std::vector<Statement> out;
    std::copy_if(statements_.begin(), statements_.end(), std::back_inserter(out),
                 [&](const Statement& s) { return s.instance.boot != boot && now - s.at < kRemembered; });
    return out;
}

bool KeyInstances::back_again(std::uint64_t boot) {
    if (!direct_.empty() && direct_.back() == boot) {
        return false;
    }
    const auto before = std::find(direct_.begin(), direct_.end(), boot);
    const bool back = before != direct_.end();
    if (back) {
        direct_.erase(before);
    }
    direct_.push_back(boot);
    if (direct_.size() > kDirect) {
        direct_.erase(direct_.begin());
    }
    return back;
}

}  // namespace meshnet::net
