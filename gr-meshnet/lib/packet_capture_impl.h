// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/packet_capture.h>

#include <atomic>
#include <cstdio>
#include <memory>

#include "core/time.hpp"
#include "limited_log.h"

namespace gr::meshnet {

class packet_capture_impl final : public packet_capture {
public:
    packet_capture_impl(const std::string& file, bool append);

    bool stop() override;
    std::uint64_t packets() const override { return packets_; }
    std::uint64_t failures() const override { return failures_; }

private:
    struct Close {
        void operator()(std::FILE* f) const { std::fclose(f); }
    };
    void on_message(const pmt::pmt_t& message, bool sent);

    const std::string path_;
    std::unique_ptr<std::FILE, Close> file_;
    ::meshnet::Instant now_{};  // the newest time heard of
    limited_log log_;
    std::atomic<std::uint64_t> packets_{0}, failures_{0};
};

}  // namespace gr::meshnet
