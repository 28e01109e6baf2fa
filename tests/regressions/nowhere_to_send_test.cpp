// SPDX-License-Identifier: MIT
// Fault: a packet to an address that nobody has was dropped in silence, and programs waited for two minutes; a packet
// above the MTU vanished. Linux must believe the answers, so it is Linux that judges them here.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "net/icmpv6.hpp"
#include "station/tun.hpp"
#include "tests/regressions/station_in_namespace.hpp"

namespace meshnet::test {
namespace {

using NowhereToSend = StationInNamespace;

sockaddr_in6 nobody() {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(80);
    ::inet_pton(AF_INET6, "fd11:2222:3333:4444:5555:6666:7777:8888", &to.sin6_addr);
    return to;
}

int connect_to_nobody() {
    const host::UniqueFd fd{::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockaddr_in6 to = nobody();
    // NOLINTNEXTLINE: the interface of sockets
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 ? 0 : errno;
}

TEST_F(NowhereToSend, AConnectionToNobodyFailsByTheAnswerOfTheMesh) {
    start("prefixes = [\"fd00::/8\"]\n");
    EXPECT_EQ(connect_to_nobody(), ENETUNREACH);
    EXPECT_GE(status()["net"]["dropped_no_route"], 1);
    EXPECT_GE(status()["interface"]["icmp_errors_sent"], 1);
}

TEST_F(NowhereToSend, WithoutAPrefixTheKernelSaysSo) {
    start();
    EXPECT_EQ(connect_to_nobody(), ENETUNREACH);
}

/// An interface without a daemon, and a datagram socket that talks through it to nobody.
class Answers : public StationInNamespace {
protected:
    void SetUp() override {
        StationInNamespace::SetUp();
        if (IsSkipped()) {
            return;
        }
        net::Address own{};
        own[0] = 0xfd;
        own[15] = 1;
        auto made = station::Tun::open({"mesh0", own, 1'400, true, {*station::ip_prefix_from_string("fd00::/8")}, ""});
        ASSERT_TRUE(made) << made.error().message;
        tun_ = std::move(made).value();
        // The kernel takes packets for an address a moment after it has given the address: a worker enters it.
        ASSERT_TRUE(eventually([&] { return shell("ip -6 route show table local dev mesh0 | grep -q fd00::1") == 0; }));
        socket_ = host::UniqueFd{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        const int probe = IPV6_PMTUDISC_PROBE;  // no fragments: whole or not at all
        ASSERT_EQ(::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof probe), 0);
        const int on = 1;  // a datagram socket hears of soft errors only if it asks for them
        ASSERT_EQ(::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on), 0);
        const sockaddr_in6 to = nobody();
        // NOLINTNEXTLINE: the interface of sockets
        ASSERT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    }
    /// Sends `bytes`, and answers the packet that comes out of the interface.
    void answer(std::size_t bytes, net::Undeliverable reason) {
        const Bytes payload(bytes, 1);
        ASSERT_EQ(::send(socket_.get(), payload.data(), payload.size(), 0), static_cast<ssize_t>(bytes));
        net::IcmpErrors errors(1'400);
        for (;;) {
            pollfd fd{tun_->fd(), POLLIN, 0};
            ASSERT_EQ(::poll(&fd, 1, 60'000), 1);
            const auto packet = tun_->read();
            if (!packet || packet->size() != bytes + 48) {
                continue;  // of the kernel's own
            }
            const auto out = errors.answer(instant_from_ns(0), {reason, *packet});
            ASSERT_TRUE(out);
            ASSERT_TRUE(tun_->write(*out));
            return;
        }
    }
    int socket_error() {
        int error = 0;
        socklen_t size = sizeof error;
        return ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
    }
    std::unique_ptr<station::Tun> tun_;
    host::UniqueFd socket_;
};

TEST_F(Answers, LinuxBelievesThatThereIsNoRoute) {
    answer(100, net::Undeliverable::kNoRoute);
    int error = 0;
    EXPECT_TRUE(eventually([&] { return (error = socket_error()) != 0; }));
    EXPECT_EQ(error, ENETUNREACH);
}

TEST_F(Answers, LinuxBelievesThatTheAddressIsUnreachable) {
    answer(100, net::Undeliverable::kRouteLost);
    int error = 0;
    EXPECT_TRUE(eventually([&] { return (error = socket_error()) != 0; }));
    EXPECT_EQ(error, EHOSTUNREACH);
}

TEST_F(Answers, LinuxBelievesTheMtu) {
    ASSERT_EQ(shell("ip link set mesh0 mtu 1500"), 0);
    answer(1'440, net::Undeliverable::kTooBig);
    EXPECT_TRUE(eventually([&] {
        return shell("ip -6 route get fd11:2222:3333:4444:5555:6666:7777:8888") == 0 &&
               said().find("mtu 1400") != std::string::npos;
    })) << said();
}

}  // namespace
}  // namespace meshnet::test
