// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

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

TEST(MacQueue, FlowsOfOneClassTakeTurnsAndKeepTheirOrder) {
    SduQueue q;
    const auto push = [&](std::uint32_t flow, std::uint64_t tag) {
        Sdu s = sdu(Priority::kBulk, tag);
        s.flow = flow;
        q.push(at(0s), std::move(s));
    };
    for (std::uint64_t k = 0; k < 50; ++k) {
        push(1, k);
    }
    push(2, 100);
    push(3, 200);
    push(2, 101);
    std::vector<std::uint64_t> order;
    while (auto entry = q.pop(at(0s))) {
        order.push_back(entry->sdu.tag);
    }
    ASSERT_EQ(order.size(), 53U);
    EXPECT_EQ((std::vector<std::uint64_t>(order.begin(), order.begin() + 6)),
              (std::vector<std::uint64_t>{0, 100, 200, 1, 101, 2}));
    EXPECT_TRUE(std::is_sorted(order.begin() + 5, order.end()));
    EXPECT_EQ(q.bytes(), 0U);
}

}  // namespace
}  // namespace meshnet::mac::test
