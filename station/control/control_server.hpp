// SPDX-License-Identifier: GPL-3.0-or-later
// The control socket: a Unix socket that only its owner can open, a few clients, bounded buffers, lines in and lines
// out.
#pragma once

#include <poll.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "host/unique_fd.hpp"
#include "station/control/control_protocol.hpp"

namespace meshnet::station {

/// Accepts clients and cuts what they send into requests. One thread; never waits.
class ControlServer {
public:
    using ClientId = std::uint32_t;
    /// Something a client asked, or why it could not be understood.
    struct Incoming {
        ClientId client = 0;
        Result<ControlRequest> request;
    };

    /// Listens at `path` (mode 0600; a missing last folder is made). The file appears when clients are already let in.
    /// A socket nobody listens at is replaced; error if somebody does, or if the path is another kind of file.
    [[nodiscard]] static Result<ControlServer> listen(const std::string& path);
    ~ControlServer();
    ControlServer(ControlServer&&) noexcept;
    ControlServer& operator=(ControlServer&&) = delete;

    /// Appends what must be polled.
    void add_poll(std::vector<pollfd>& fds) const;
    /// Takes the poll results back, accepts, reads (at most 16 KiB a client), writes.
    [[nodiscard]] std::vector<Incoming> handle(const std::vector<pollfd>& fds);
    /// Queues `line` for a client. False if the client is gone or has let more than 2 MiB pile up (it is then closed).
    bool send(ClientId client, const std::string& line);
    /// Bytes not yet taken by the client; 0 if it is gone.
    [[nodiscard]] std::size_t backlog(ClientId client) const;
    [[nodiscard]] bool connected(ClientId client) const;

private:
    struct Client {
        host::UniqueFd fd;
        std::string in, out;
        bool closing = false;  // close when `out` is written
    };
    ControlServer(host::UniqueFd listener, std::string path) : listener_(std::move(listener)), path_(std::move(path)) {}
    void accept_all();
    void read_from(ClientId id, Client& client, std::vector<Incoming>& out);
    static bool flush(Client& client);

    host::UniqueFd listener_;
    std::string path_;
    std::map<ClientId, Client> clients_;
    ClientId next_id_ = 1;
};

}  // namespace meshnet::station
