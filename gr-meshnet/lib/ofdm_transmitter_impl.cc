// SPDX-License-Identifier: GPL-3.0-or-later
#include "ofdm_transmitter_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

#include "parameters.h"
#include "phy/frame.hpp"
#include "uhd_events.h"

namespace gr::meshnet {

namespace {

namespace phy = ::meshnet::phy;
using ::meshnet::Instant;

constexpr const char* kName = "OFDM Transmitter";
constexpr std::size_t kMaxQueuedBytes = 67'108'864;  // of payloads waiting: beyond, PDUs are refused
constexpr std::uint64_t kMaxGap = 1'000'000'000;
constexpr std::uint64_t kMaxPad = 10'000'000;
constexpr std::uint64_t kMaxMultiple = 1'000'000;
constexpr std::uint64_t kMaxQueuedPdus = 1'000'000;
constexpr double kMaxQueuedSeconds = 86'400.0;
constexpr std::size_t kMaxOnAir = 64;  // bursts a radio may leave without a word

const pmt::pmt_t& pdus_port() {
    static const pmt::pmt_t port = pmt::mp("pdus");
    return port;
}
const pmt::pmt_t& reports_port() {
    static const pmt::pmt_t port = pmt::mp("reports");
    return port;
}
const pmt::pmt_t& bursts_port() {
    static const pmt::pmt_t port = pmt::mp("bursts");
    return port;
}
const pmt::pmt_t& async_port() {
    static const pmt::pmt_t port = pmt::mp("async_msgs");
    return port;
}

ofdm_transmitter_impl::Idle idle_named(const std::string& name) {
    if (name == "none") return ofdm_transmitter_impl::Idle::kNone;
    if (name == "zeros") return ofdm_transmitter_impl::Idle::kZeros;
    if (name == "clocked") return ofdm_transmitter_impl::Idle::kClocked;
    if (name == "message") return ofdm_transmitter_impl::Idle::kMessage;
    throw std::invalid_argument(std::string(kName) + ": idle is \"" + name +
                                "\"; it can be none, zeros, clocked or message");
}

}  // namespace

ofdm_transmitter::sptr ofdm_transmitter::make(const std::string& profile, const std::string& mode,
                                              const std::string& idle, std::uint64_t gap, const std::string& length_tag,
                                              std::uint64_t pad_front, std::uint64_t pad_tail,
                                              std::uint64_t pad_multiple, std::uint64_t queue_pdus,
                                              double queue_seconds) {
    return gnuradio::make_block_sptr<ofdm_transmitter_impl>(
        profile, mode, idle, gap, length_tag,
        ofdm_transmitter_impl::Limits{pad_front, pad_tail, pad_multiple, queue_pdus, queue_seconds});
}

ofdm_transmitter_impl::ofdm_transmitter_impl(const std::string& profile, const std::string& mode,
                                             const std::string& idle, std::uint64_t gap, const std::string& length_tag,
                                             const Limits& limits)
    : gr::sync_block("meshnet_ofdm_transmitter", gr::io_signature::make(0, 0, 0),
                     gr::io_signature::make(idle == "message" ? 0 : 1, idle == "message" ? 0 : 1, sizeof(gr_complex))),
      idle_(idle_named(idle)),
      gap_(gap),
      limits_(limits),
      length_tag_(length_tag.empty() ? pmt::PMT_NIL : pmt::mp(length_tag)),
      transmitter_(profile_named(kName, profile)),
      clock_(::meshnet::node::SampleRate::from_hz(transmitter_.profile().sample_rate_hz)),
      mode_(mode_named(kName, mode)) {
    require_between(kName, "gap", gap, 0, kMaxGap);
    require_between(kName, "pad_front", limits.pad_front, 0, kMaxPad);
    require_between(kName, "pad_tail", limits.pad_tail, 0, kMaxPad);
    require_between(kName, "pad_multiple", limits.pad_multiple, 1, kMaxMultiple);
    require_between(kName, "queue_pdus", limits.queue_pdus, 1, kMaxQueuedPdus);
    require_between(kName, "queue_seconds", limits.queue_seconds, 0.001, kMaxQueuedSeconds);
    message_port_register_in(pdus_port());
    set_msg_handler(pdus_port(), [this](const pmt::pmt_t& m) { on_message(m); });
    message_port_register_in(async_port());
    set_msg_handler(async_port(), [this](const pmt::pmt_t& m) { on_async(m); });
    message_port_register_out(reports_port());
    message_port_register_out(bursts_port());
}

bool ofdm_transmitter_impl::start() {
    burst_.reset();
    on_air_.clear();
    gap_left_ = gap_;
    limit_ = idle_ == Idle::kClocked ? 0 : std::numeric_limits<std::uint64_t>::max();
    return gr::sync_block::start();
}

/// What waits is not sent by a later start(): it would be out of date.
bool ofdm_transmitter_impl::stop() {
    while (const pmt::pmt_t message = delete_head_nowait(pdus_port())) {
        if (const auto in = read_pdu(message); in && !in->bytes.empty()) {
            ++flushed_;
        }
    }
    while (!queue_.empty()) {
        Request request;
        take_from_queue(request);
        ++flushed_;
        report("flushed", request.id, pmt::make_dict());
    }
    if (burst_) {
        ++flushed_;
        report("flushed", burst_->request.id, pmt::make_dict());
        burst_.reset();
    }
    return gr::sync_block::stop();
}

void ofdm_transmitter_impl::set_mode(const std::string& mode) {
    mode_ = mode_named(kName, mode);
}

std::string ofdm_transmitter_impl::mode() const {
    return std::string(phy::modes()[mode_].name);
}

std::map<std::string, std::uint64_t> ofdm_transmitter_impl::counters() const {
    return {{"bursts_sent", sent_},     {"bursts_late", late_},      {"pdus_refused", refused_},
            {"pdus_flushed", flushed_}, {"underflows", underflows_}, {"samples_sent", samples_sent_}};
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
    for (const char* key : {"at", "tx_time"}) {
        if (!request.at && has_key(in.meta, key)) {
            request.at = read_time(in.meta, key);
            if (!request.at) {
                return refuse(request.id,
                              std::string(key) + " is not a time: a tuple of whole seconds and fraction, or seconds");
            }
        }
    }
    if (const auto why = read_radio_settings(in.meta, request)) {
        return refuse(request.id, *why);
    }
    if (in.bytes.empty() || in.bytes.size() > phy::kMaxPayloadBytes) {
        return refuse(request.id, "a frame carries 1 to " + std::to_string(phy::kMaxPayloadBytes) + " bytes, not " +
                                      std::to_string(in.bytes.size()));
    }
    request.payload = std::move(in.bytes);
    request.air_samples = transmitter_.frame_samples(request.mode, request.payload.size());
    if (idle_ == Idle::kMessage) {
        return publish_burst(request);
    }
    if (const auto why = queue_full(request)) {
        return refuse(request.id, *why);
    }
    queued_bytes_ += request.payload.size();
    queued_samples_ += request.air_samples;
    queue_.push_back(std::move(request));
}

/// `tx_freq` and `tx_gain` of a PDU, and the time against the padding. What is wrong, or nothing.
std::optional<std::string> ofdm_transmitter_impl::read_radio_settings(const pmt::pmt_t& meta, Request& request) const {
    if (request.at && *request.at < Instant{} + clock_.duration_of(limits_.pad_front)) {
        return "the front padding would begin before time 0";
    }
    if (const pmt::pmt_t frequency = find(meta, "tx_freq")) {
        const bool of_channel = pmt::is_pair(frequency) && to_real(pmt::car(frequency));
        if (!to_real(of_channel ? pmt::cdr(frequency) : frequency)) {
            return "tx_freq is not a frequency: hertz, or a pair of channel and hertz";
        }
        request.frequency = frequency;
    }
    if (const pmt::pmt_t gain = find(meta, "tx_gain")) {
        if (!to_real(gain)) {
            return "tx_gain is not a gain: decibels";
        }
        request.gain = gain;
    }
    return std::nullopt;
}

std::optional<std::string> ofdm_transmitter_impl::queue_full(const Request& request) const {
    if (queue_.size() >= limits_.queue_pdus) {
        return "queue full: " + std::to_string(queue_.size()) + " PDUs wait already (queue_pdus)";
    }
    const double seconds = static_cast<double>(queued_samples_ + request.air_samples) / sample_rate();
    if (!queue_.empty() && seconds > limits_.queue_seconds) {
        return "queue full: with it " + std::to_string(seconds) + " s of air time would wait (queue_seconds)";
    }
    if (request.payload.size() > kMaxQueuedBytes - queued_bytes_) {
        return "queue full: 64 MiB wait already";
    }
    return std::nullopt;
}

void ofdm_transmitter_impl::take_from_queue(Request& out) {
    out = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= out.payload.size();
    queued_samples_ -= out.air_samples;
}

/// A radio says what became of bursts that had left here. Of a burst that was late or broken the report comes a second
/// time, with the outcome "late".
void ofdm_transmitter_impl::on_async(const pmt::pmt_t& message) {
    const auto event = read_uhd_event(message);
    if (!event) {
        return refuse(std::nullopt, "not a message of a UHD sink's async_msgs");
    }
    if (event->broken) {
        ++underflows_;
    }
    if (event->late || event->broken) {
        // The burst under way: the last one that has begun.
        std::size_t taken = 0;
        for (std::size_t i = 0; i < on_air_.size(); ++i) {
            if (!event->time || !on_air_[i].at || *on_air_[i].at <= *event->time) {
                taken = i + 1;
            }
            if (!event->time || !on_air_[i].at) {
                break;
            }
        }
        if (taken > 0) {
            const OnAir burst = on_air_[taken - 1];
            on_air_.erase(on_air_.begin(), on_air_.begin() + static_cast<std::ptrdiff_t>(taken));
            pmt::pmt_t details = add(pmt::make_dict(), "reason", pmt::mp(event->late ? "time_error" : "underflow"));
            if (event->time) {
                details = add(details, "now", from_instant(*event->time));
            }
            report_late(burst.id, details,
                        event->late ? "the radio dropped a burst that came after its time"
                                    : "a burst left with a hole in it: the radio ran out of samples");
        }
    } else if (event->acknowledged && !on_air_.empty()) {
        on_air_.pop_front();
    }
}

void ofdm_transmitter_impl::report_late(const std::optional<std::uint64_t>& id, pmt::pmt_t details,
                                        const std::string& why) {
    ++late_;
    late_log_.warn(d_logger, why);
    report("late", id, std::move(details));
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
    refused_log_.warn(d_logger, "PDU refused: " + reason);
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
    Request request;
    take_from_queue(request);
    std::uint64_t start = index;
    if (idle_ != Idle::kNone && request.at) {
        const std::uint64_t first = clock_.to_index(*request.at);
        if (first < index + limits_.pad_front) {
            return report_late(request.id, add(pmt::make_dict(), "now", from_instant(clock_.to_instant(index))),
                               "a burst for sample " + std::to_string(first) + " came when the stream was at " +
                                   std::to_string(index + limits_.pad_front) + " already");
        }
        start = first - limits_.pad_front;
    }
    render(request);
    burst_ = Burst{std::move(request), start, 0};
}

/// The whole burst: front padding, frame, tail padding, and what makes its length a multiple.
void ofdm_transmitter_impl::render(const Request& request) {
    samples_.assign(limits_.pad_front, gr_complex{});
    transmitter_.modulate(request.mode, request.payload, samples_);
    frame_samples_ = samples_.size() - limits_.pad_front;
    const std::uint64_t length = samples_.size() + limits_.pad_tail;
    const std::uint64_t over = length % limits_.pad_multiple;
    samples_.resize(length + (over > 0 ? limits_.pad_multiple - over : 0));
}

/// The burst as one message: nothing waits here.
void ofdm_transmitter_impl::publish_burst(const Request& request) {
    render(request);
    pmt::pmt_t meta = pmt::make_dict();
    auto details = pmt::make_dict();
    if (request.at) {
        meta = add(meta, "tx_time", from_instant(*request.at - clock_.duration_of(limits_.pad_front)));
        details = add(details, "end", from_instant(*request.at + clock_.duration_of(frame_samples_)));
    }
    if (request.frequency) {
        meta = add(meta, "tx_freq", request.frequency);
    }
    if (request.gain) {
        meta = add(meta, "tx_gain", request.gain);
    }
    if (request.id) {
        meta = add(meta, "burst_id", pmt::from_uint64(*request.id));
    }
    message_port_pub(bursts_port(), pmt::cons(meta, pmt::init_c32vector(samples_.size(), samples_.data())));
    ++sent_;
    samples_sent_ += samples_.size();
    report("sent", request.id, details);
}

void ofdm_transmitter_impl::tag_start(std::uint64_t index) {
    const pmt::pmt_t source = pmt::mp(alias());
    if (pmt::is_null(length_tag_)) {
        add_item_tag(0, index, pmt::mp("tx_sob"), pmt::PMT_T, source);
    } else {
        add_item_tag(0, index, length_tag_, pmt::from_long(static_cast<long>(samples_.size())), source);
    }
    const Request& request = burst_->request;
    if (request.at) {
        add_item_tag(0, index, pmt::mp("tx_time"), from_instant(*request.at - clock_.duration_of(limits_.pad_front)),
                     source);
    }
    if (request.frequency) {
        add_item_tag(0, index, pmt::mp("tx_freq"), request.frequency, source);
    }
    if (request.gain) {  // gr-uhd takes a gain by tx_command only
        add_item_tag(0, index, pmt::mp("tx_gain"), request.gain, source);
        add_item_tag(0, index, pmt::mp("tx_command"), add(pmt::make_dict(), "gain", request.gain), source);
    }
    if (request.id) {
        add_item_tag(0, index, pmt::mp("burst_id"), pmt::from_uint64(*request.id), source);
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
        const std::uint64_t first = burst_->start + limits_.pad_front;
        auto details = add(pmt::make_dict(), "start", pmt::from_uint64(first));
        if (idle_ != Idle::kNone) {
            details = add(details, "end", from_instant(clock_.to_instant(first + frame_samples_)));
        } else if (burst_->request.at) {
            details = add(details, "end", from_instant(*burst_->request.at + clock_.duration_of(frame_samples_)));
        }
        if (idle_ == Idle::kNone) {
            on_air_.push_back({burst_->request.id, burst_->request.at});
            if (on_air_.size() > kMaxOnAir) {
                on_air_.pop_front();
            }
        }
        report("sent", burst_->request.id, details);
        burst_.reset();
        gap_left_ = gap_;
    }
    return n;
}

}  // namespace gr::meshnet
