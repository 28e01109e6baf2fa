// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "mac/queue.hpp"

namespace meshnet::mac::test {
namespace {

Instant at(Duration d) {
    return instant_from_ns(0) + d;
}

Sdu sdu(Priority p, std::uint64_t tag) {
    Sdu s;
    s.priority = p;
    s.tag = tag;
    s.bytes.assign(10, 0);
    return s;
}

TEST(MacQueue, StrictPriorityWithoutStarvation) {
    SduQueue q;
    q.push(at(0s), sdu(Priority::kBulk, 1));
    for (std::uint64_t k = 0; k < 20; ++k) {
        q.push(at(0s), sdu(Priority::kInteractive, 100 + k));
    }
    q.push(at(1s), sdu(Priority::kControl, 50));
    EXPECT_EQ(q.urgency(), Priority::kControl);
    EXPECT_EQ(q.bytes(), 220U);
    EXPECT_EQ(q.pop(at(1s))->sdu.tag, 50U);
    EXPECT_FALSE(q.pop(at(1s), true));
    for (std::uint64_t k = 0; k < 8; ++k) {
        EXPECT_EQ(q.pop(at(1s))->sdu.tag, 100 + k);  // within its patience bulk waits
    }
    bool bulk = false;
    for (int k = 0; k < 4; ++k) {
        bulk = bulk || q.pop(at(3s))->sdu.tag == 1;
    }
    EXPECT_TRUE(bulk);
}

}  // namespace
}  // namespace meshnet::mac::test
