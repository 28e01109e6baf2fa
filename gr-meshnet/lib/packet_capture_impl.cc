// SPDX-License-Identifier: GPL-3.0-or-later
#include "packet_capture_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "message_drain.h"
#include "pcap_format.h"
#include "pdu.h"

namespace gr::meshnet {

namespace {

constexpr const char* kName = "Packet Capture";

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw std::invalid_argument(std::string(kName) + ": " + path + ": " + why);
}

/// A file to be continued must begin as ours do.
bool continues(std::FILE* file, const std::string& path) {
    ::meshnet::Bytes head(kPcapFileHeader);
    std::rewind(file);
    const std::size_t n = std::fread(head.data(), 1, head.size(), file);
    std::fseek(file, 0, SEEK_END);
    if (n == 0) {
        return false;
    }
    if (n < head.size() || head != pcap_file_header()) {
        refuse(path, "is no capture of this kind, so nothing is appended to it; name another file");
    }
    return true;
}

}  // namespace

packet_capture::sptr packet_capture::make(const std::string& file, bool append) {
    return gnuradio::make_block_sptr<packet_capture_impl>(file, append);
}

packet_capture_impl::packet_capture_impl(const std::string& file, bool append)
    : gr::block("meshnet_packet_capture", gr::io_signature::make(0, 0, 0), gr::io_signature::make(0, 0, 0)),
      path_(file),
      file_(file.empty() ? nullptr : std::fopen(file.c_str(), append ? "a+b" : "wb")) {
    if (!file_) {
        refuse(file.empty() ? "\"\"" : file, file.empty() ? "a file must be named" : std::strerror(errno));
    }
    if (!append || !continues(file_.get(), file)) {
        const auto head = pcap_file_header();
        if (std::fwrite(head.data(), 1, head.size(), file_.get()) != head.size() || std::fflush(file_.get()) != 0) {
            refuse(file, std::strerror(errno));
        }
    }
    message_port_register_in(pmt::mp("received"));
    message_port_register_in(pmt::mp("sent"));
    set_msg_handler(pmt::mp("received"), [this](const pmt::pmt_t& m) { on_message(m, false); });
    set_msg_handler(pmt::mp("sent"), [this](const pmt::pmt_t& m) { on_message(m, true); });
}

/// What has come and was not handled yet is written, too.
bool packet_capture_impl::stop() {
    drain_messages(*this, pmt::mp("received"), [this](const pmt::pmt_t& m) { on_message(m, false); });
    drain_messages(*this, pmt::mp("sent"), [this](const pmt::pmt_t& m) { on_message(m, true); });
    return gr::block::stop();
}

void packet_capture_impl::on_message(const pmt::pmt_t& message, bool sent) {
    try {
        const auto in = read_pdu(message);
        if (!in) {
            return;
        }
        for (const char* key : {"at", "tx_time", "time", "clock"}) {
            if (const auto t = read_time(in->meta, key)) {
                now_ = *t;
                break;
            }
        }
        if (in->bytes.empty()) {
            return;
        }
        const auto packet = pcap_packet(now_, sent, in->meta, in->bytes);
        if (std::fwrite(packet.data(), 1, packet.size(), file_.get()) != packet.size() ||
            std::fflush(file_.get()) != 0) {
            ++failures_;
            log_.warn(d_logger, path_ + ": " + std::strerror(errno));
            std::clearerr(file_.get());
            return;
        }
        ++packets_;
    } catch (const std::exception&) {  // pmt throws for values of a kind nobody expects
    }
}

}  // namespace gr::meshnet
