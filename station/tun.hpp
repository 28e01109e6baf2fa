// SPDX-License-Identifier: GPL-3.0-or-later
// A network interface of our own: IPv6 packets of this computer in and out, made with ioctls, no program called.
#pragma once

#include <optional>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "host/unique_fd.hpp"
#include "net/node_id.hpp"

namespace meshnet::station {

/// One TUN interface; it disappears with this object.
class Tun {
public:
    /// Makes interface `name` with `address`/128, the route fd00::/8 and `mtu`, and brings it up. The error says which
    /// step failed and, where permission is missing, what to do.
    [[nodiscard]] static Result<Tun> open(const std::string& name, const net::Address& address, unsigned mtu);

    /// Readable when read() will return a packet. Non-blocking.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// The next packet this computer sends into the mesh, or nothing.
    [[nodiscard]] std::optional<Bytes> read();
    /// Gives this computer a packet; false if the kernel did not take it.
    bool write(ByteView packet);

private:
    explicit Tun(host::UniqueFd fd) : fd_(std::move(fd)) {}
    host::UniqueFd fd_;
};

}  // namespace meshnet::station
