// SPDX-License-Identifier: MIT
#include "mac/link_auth.hpp"

#include <sodium.h>

#include <algorithm>
#include <cassert>

namespace meshnet::mac {

static_assert(std::tuple_size_v<TagKey> == crypto_shorthash_siphash24_KEYBYTES);
static_assert(crypto_shorthash_siphash24_BYTES == 8);

std::array<std::uint8_t, 8> make_tag(const TagKey& key, TagKind kind, ByteView common, ByteView entry) {
    Bytes input;
    input.reserve(1 + common.size() + entry.size());
    input.push_back(static_cast<std::uint8_t>(kind));
    input.insert(input.end(), common.begin(), common.end());
    input.insert(input.end(), entry.begin(), entry.end());
    std::array<std::uint8_t, 8> out{};
    crypto_shorthash_siphash24(out.data(), input.data(), input.size(), key.data());
    return out;
}

bool tag_holds(const TagKey& key, TagKind kind, ByteView common, ByteView entry, ByteView tag) {
    assert(!tag.empty() && tag.size() <= 8);
    const auto full = make_tag(key, kind, common, entry);
    return sodium_memcmp(full.data(), tag.data(), tag.size()) == 0;
}

LinkAuth::~LinkAuth() {
    forget();
}

void LinkAuth::forget() {
    for (Slot& s : slots_) {
        sodium_memzero(&s.keys, sizeof s.keys);
    }
    slots_.clear();
}

void LinkAuth::use(Instant now, std::size_t index) {
    if (index != 0) {
        slots_.front().until = now + kPreviousKept;
    }
    slots_[index].proposed = false;
    std::rotate(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(index),
                slots_.begin() + static_cast<std::ptrdiff_t>(index) + 1);
}

void LinkAuth::set(Instant now, const LinkKeys& keys, bool in_use) {
    auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) { return s.keys == keys; });
    if (found == slots_.end()) {
        if (slots_.size() >= kMostSlots) {
            sodium_memzero(&slots_.back().keys, sizeof(LinkKeys));
            slots_.pop_back();
        }
        // Behind the one in use; before it if that was never confirmed.
        const bool first = slots_.empty() || slots_.front().proposed;
        if (first && !slots_.empty()) {
            slots_.front().until = now + kProposedKept;
        }
        found = slots_.insert(slots_.begin() + (first ? 0 : 1), Slot{keys, std::nullopt, now + kProposedKept, true});
    }
    if (in_use) {
        use(now, static_cast<std::size_t>(found - slots_.begin()));
        for (std::size_t i = 1; i < slots_.size(); ++i) {
            // Who has chosen these does not change to those.
            slots_[i].proposed = false;
            slots_[i].until = std::min(slots_[i].until, now + kPreviousKept);
        }
    }
}

std::optional<LinkKeys> LinkAuth::made_by(TagKind kind, ByteView common, ByteView entry, ByteView tag) const {
    for (const Slot& s : slots_) {
        if (tag_holds(s.keys.receive, kind, common, entry, tag)) {
            return s.keys;
        }
    }
    return std::nullopt;
}

bool LinkAuth::accept(Instant now, const LinkKeys& keys, std::uint32_t counter) {
    const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) { return s.keys == keys; });
    if (found == slots_.end()) {
        return false;
    }
    // Modulo 2^32; the layer above changes keys long before half of that is used up.
    if (found->newest && static_cast<std::int32_t>(counter - *found->newest) <= 0) {
        return false;
    }
    found->newest = counter;
    if (found->proposed) {
        use(now, static_cast<std::size_t>(found - slots_.begin()));
    }
    return true;
}

void LinkAuth::on_timeout(Instant now) {
    for (std::size_t i = slots_.size(); i-- > 1;) {
        if (now >= slots_[i].until) {
            sodium_memzero(&slots_[i].keys, sizeof(LinkKeys));
            slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

}  // namespace meshnet::mac
