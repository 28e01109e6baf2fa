// SPDX-License-Identifier: GPL-3.0-or-later
#include "ofdm_transmitter_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

#include "parameters.h"
#include "phy/frame.hpp"

namespace gr::meshnet {

namespace {

namespace phy = ::meshnet::phy;
using ::meshnet::Instant;

constexpr const char* kName = "OFDM Transmitter";
constexpr std::size_t kMaxQueuedBytes = 67'108'864;  // of payloads waiting: beyond, PDUs are refused
constexpr std::uint64_t kMaxGap = 1'000'000'000;

const pmt::pmt_t& pdus_port() {
    static const pmt::pmt_t port = pmt::mp("pdus");
    return port;
}
const pmt::pmt_t& reports_port() {
    static const pmt::pmt_t port = pmt::mp("reports");
    return port;
}

ofdm_transmitter_impl::Idle idle_named(const std::string& name) {
    if (name == "none") return ofdm_transmitter_impl::Idle::kNone;
    if (name == "zeros") return ofdm_transmitter_impl::Idle::kZeros;
    if (name == "clocked") return ofdm_transmitter_impl::Idle::kClocked;
    throw std::invalid_argument(std::string(kName) + ": idle is \"" + name + "\"; it can be none, zeros or clocked");
}

}  // namespace

ofdm_transmitter::sptr ofdm_transmitter::make(const std::string& profile, const std::string& mode,
                                              const std::string& idle, std::uint64_t gap,
                                              const std::string& length_tag) {
    return gnuradio::make_block_sptr<ofdm_transmitter_impl>(profile, mode, idle, gap, length_tag);
}

ofdm_transmitter_impl::ofdm_transmitter_impl(const std::string& profile, const std::string& mode,
                                             const std::string& idle, std::uint64_t gap, const std::string& length_tag)
    : gr::sync_block("meshnet_ofdm_transmitter", gr::io_signature::make(0, 0, 0),
                     gr::io_signature::make(1, 1, sizeof(gr_complex))),
      idle_(idle_named(idle)),
      gap_(gap),
      length_tag_(length_tag.empty() ? pmt::PMT_NIL : pmt::mp(length_tag)),
      transmitter_(profile_named(kName, profile)),
      clock_(::meshnet::node::SampleRate::from_hz(transmitter_.profile().sample_rate_hz)),
      mode_(mode_named(kName, mode)) {
    if (gap > kMaxGap) {
        throw std::invalid_argument(std::string(kName) + ": gap is " + std::to_string(gap) +
                                    " samples; it can be 0 to 1e9");
    }
    message_port_register_in(pdus_port());
    set_msg_handler(pdus_port(), [this](const pmt::pmt_t& m) { on_message(m); });
    message_port_register_out(reports_port());
}

bool ofdm_transmitter_impl::start() {
    burst_.reset();
    gap_left_ = gap_;
    limit_ = idle_ == Idle::kClocked ? 0 : std::numeric_limits<std::uint64_t>::max();
    return gr::sync_block::start();
}

void ofdm_transmitter_impl::set_mode(const std::string& mode) {
    mode_ = mode_named(kName, mode);
}

std::string ofdm_transmitter_impl::mode() const {
    return std::string(phy::modes()[mode_].name);
}

std::map<std::string, std::uint64_t> ofdm_transmitter_impl::counters() const {
    return {
        {"bursts_sent", sent_}, {"bursts_late", late_}, {"pdus_refused", refused_}, {"samples_sent", samples_sent_}};
}

void ofdm_transmitter_impl::on_message(const pmt::pmt_t& message) {
    // The runtime ends the thread of a block whose handler throws; pmt throws for values of a kind nobody expects.
    try {
        if (auto in = read_pdu(message)) {
            accept(std::move(*in));
        } else {
            refuse(std::nullopt, "not a PDU: a pair of dict and u8vector");
        }
    } catch (const std::exception& e) {
        refuse(std::nullopt, e.what());
    }
}

void ofdm_transmitter_impl::accept(pdu&& in) {
    if (in.bytes.empty() && has_key(in.meta, "clock")) {
        if (const auto until = read_time(in.meta, "clock"); until && idle_ == Idle::kClocked) {
            limit_ = std::max(limit_, clock_.to_index(*until));
        }
        return;
    }
    Request request;
    request.id = read_count(in.meta, "id");
    request.mode = mode_;
    if (has_key(in.meta, "mode")) {
        const auto name = read_text(in.meta, "mode");
        const auto mode = name ? phy::find_mode(*name) : std::nullopt;
        if (!mode) {
            return refuse(request.id, "no mode \"" + name.value_or("") + "\"");
        }
        request.mode = *mode;
    }
    if (has_key(in.meta, "at")) {
        request.at = read_time(in.meta, "at");
        if (!request.at) {
            return refuse(request.id, "at is not a time: a tuple of whole seconds and fraction, or seconds");
        }
    }
    if (in.bytes.empty() || in.bytes.size() > phy::kMaxPayloadBytes) {
        return refuse(request.id, "a frame carries 1 to " + std::to_string(phy::kMaxPayloadBytes) + " bytes, not " +
                                      std::to_string(in.bytes.size()));
    }
    if (in.bytes.size() > kMaxQueuedBytes - queued_bytes_) {
        return refuse(request.id, "too much waiting already");
    }
    queued_bytes_ += in.bytes.size();
    request.payload = std::move(in.bytes);
    queue_.push_back(std::move(request));
}

void ofdm_transmitter_impl::report(const char* outcome, const std::optional<std::uint64_t>& id, pmt::pmt_t details) {
    details = add(details, "outcome", pmt::mp(outcome));
    if (id) {
        details = add(details, "id", pmt::from_uint64(*id));
    }
    message_port_pub(reports_port(), details);
}

void ofdm_transmitter_impl::refuse(const std::optional<std::uint64_t>& id, const std::string& reason) {
    ++refused_;
    report("refused", id, add(pmt::make_dict(), "reason", pmt::mp(reason)));
}

int ofdm_transmitter_impl::work(int noutput_items, gr_vector_const_void_star& /*input_items*/,
                                gr_vector_void_star& output_items) {
    auto* out = static_cast<gr_complex*>(output_items[0]);
    const bool ending = finished();
    if (ending) {  // whoever feeds us has ended: what came in after the last look at the queue still counts
        while (const pmt::pmt_t message = delete_head_nowait(pdus_port())) {
            on_message(message);
        }
    }
    const auto wanted = static_cast<std::size_t>(noutput_items);
    std::size_t produced = 0;
    while (produced < wanted) {
        const std::uint64_t index = nitems_written(0) + produced;
        if (ending && !burst_ && gap_left_ == 0 && queue_.empty()) {
            return produced == 0 ? WORK_DONE : static_cast<int>(produced);
        }
        const std::size_t n =
            index < limit_ ? step(index, std::min<std::uint64_t>(wanted - produced, limit_ - index), out + produced)
                           : 0;
        if (n == 0) {
            break;  // a message will wake us
        }
        produced += n;
    }
    return static_cast<int>(produced);
}

/// Writes up to `room` samples of one kind: burst, gap or idle. 0: there is nothing to write now.
std::size_t ofdm_transmitter_impl::step(std::uint64_t index, std::size_t room, gr_complex* out) {
    if (!burst_ && gap_left_ == 0) {
        while (!queue_.empty() && !burst_) {
            begin_next(index);
        }
    }
    if (burst_ && burst_->start <= index) {
        return write_burst(index, room, out);
    }
    std::uint64_t zeros = 0;
    if (gap_left_ > 0) {
        zeros = std::min<std::uint64_t>(room, gap_left_);
        gap_left_ -= zeros;
    } else if (burst_) {
        zeros = std::min<std::uint64_t>(room, burst_->start - index);
    } else if (idle_ != Idle::kNone) {
        zeros = room;
    }
    std::fill_n(out, zeros, gr_complex{});
    return static_cast<std::size_t>(zeros);
}

/// Takes the next request and renders it, or reports it as late.
void ofdm_transmitter_impl::begin_next(std::uint64_t index) {
    Request request = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= request.payload.size();
    std::uint64_t start = index;
    if (idle_ != Idle::kNone && request.at) {
        start = clock_.to_index(*request.at);
        if (start < index) {
            ++late_;
            report("late", request.id, add(pmt::make_dict(), "now", from_instant(clock_.to_instant(index))));
            return;
        }
    }
    samples_.clear();
    transmitter_.modulate(request.mode, request.payload, samples_);
    burst_ = Burst{std::move(request), start, 0};
}

void ofdm_transmitter_impl::tag_start(std::uint64_t index) {
    const pmt::pmt_t source = pmt::mp(alias());
    if (pmt::is_null(length_tag_)) {
        add_item_tag(0, index, pmt::mp("tx_sob"), pmt::PMT_T, source);
    } else {
        add_item_tag(0, index, length_tag_, pmt::from_long(static_cast<long>(samples_.size())), source);
    }
    if (burst_->request.at) {
        add_item_tag(0, index, pmt::mp("tx_time"), from_instant(*burst_->request.at), source);
    }
}

std::size_t ofdm_transmitter_impl::write_burst(std::uint64_t index, std::size_t room, gr_complex* out) {
    if (burst_->next == 0) {
        burst_->start = index;
        tag_start(index);
    }
    const std::size_t n = std::min(room, samples_.size() - burst_->next);
    std::copy_n(samples_.data() + burst_->next, n, out);
    burst_->next += n;
    if (burst_->next == samples_.size()) {
        const std::uint64_t end = index + n;
        if (pmt::is_null(length_tag_)) {
            add_item_tag(0, end - 1, pmt::mp("tx_eob"), pmt::PMT_T, pmt::mp(alias()));
        }
        ++sent_;
        samples_sent_ += samples_.size();
        auto details = add(pmt::make_dict(), "start", pmt::from_uint64(burst_->start));
        if (idle_ != Idle::kNone) {
            details = add(details, "end", from_instant(clock_.to_instant(end)));
        } else if (burst_->request.at) {
            details = add(details, "end", from_instant(*burst_->request.at + clock_.duration_of(samples_.size())));
        }
        report("sent", burst_->request.id, details);
        burst_.reset();
        gap_left_ = gap_;
    }
    return n;
}

}  // namespace gr::meshnet
