// SPDX-License-Identifier: GPL-3.0-or-later
#include "transmit_guard_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <stdexcept>
#include <utility>

#include "counter_map.h"
#include "pdu.h"

namespace gr::meshnet {

namespace {

namespace station = ::meshnet::station;
using ::meshnet::Duration;
using ::meshnet::Instant;
using ::meshnet::node::SampleRate;

constexpr const char* kName = "Transmit Guard";
constexpr std::size_t kMaxBurstSamples = 4'194'304;
constexpr Duration kLead = std::chrono::milliseconds(50);         // from the newest sample received to the call sign
constexpr Duration kTick = std::chrono::milliseconds(1);          // of an OFDM Receiver's events
constexpr Duration kReordering = std::chrono::milliseconds(100);  // bursts are requested ahead of the events

const pmt::pmt_t& events_port() {
    static const pmt::pmt_t port = pmt::mp("events");
    return port;
}
const pmt::pmt_t& inhibit_port() {
    static const pmt::pmt_t port = pmt::mp("inhibit");
    return port;
}
const pmt::pmt_t& reports_port() {
    static const pmt::pmt_t port = pmt::mp("reports");
    return port;
}

/// Nanoseconds since 1970: the air time of the last hour outlives the flowgraph. docs/decisions/0013-transmit-guard.md.
Instant wall_clock() {
    return Instant{std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
}

station::GuardConfig config_of(const guard_settings& s) {
    station::GuardConfig c;
    c.bands = s.bands;
    c.own_bands = s.own_bands;
    c.authority = s.authority;
    c.callsign = s.callsign;
    c.sealed_traffic_permit = s.sealed_traffic_permit;
    c.frequency_hz = s.frequency_hz;
    c.full_scale_dbm = s.full_scale_dbm;
    c.antenna_gain_dbi = s.antenna_gain_dbi;
    c.cable_loss_db = s.cable_loss_db;
    c.receive_full_scale_dbm = s.receive_full_scale_dbm;
    c.clock_error_ppm = s.clock_error_ppm;
    c.listen_max_age_ms = s.listen_max_age_ms;
    c.air_time_file = s.air_time_file;
    c.inhibit_file = s.inhibit_file;
    return c;
}

std::shared_ptr<station::TransmitGuard> opened(const guard_settings& s) {
    auto guard = station::open_guard(config_of(s), s.sample_rate_hz, wall_clock());
    if (!guard) {
        throw std::invalid_argument(std::string(kName) + ": " + guard.error().message);
    }
    return std::move(guard).value();
}

bool zeros_wanted(const std::string& fill) {
    if (fill != "none" && fill != "zeros") {
        throw std::invalid_argument(std::string(kName) + ": fill is \"" + fill + "\"; it can be none or zeros");
    }
    return fill == "zeros";
}

}  // namespace

transmit_guard::sptr transmit_guard::make(const guard_settings& settings) {
    return gnuradio::make_block_sptr<transmit_guard_impl>(settings);
}

transmit_guard_impl::transmit_guard_impl(const guard_settings& settings)
    : gr::block("meshnet_transmit_guard", gr::io_signature::make(1, 1, sizeof(gr_complex)),
                gr::io_signature::make(1, 1, sizeof(gr_complex))),
      settings_(settings),
      zeros_(zeros_wanted(settings.fill)),
      length_tag_(settings.length_tag.empty() ? pmt::PMT_NIL : pmt::mp(settings.length_tag)),
      clock_(SampleRate::from_hz(settings.sample_rate_hz)),
      center_hz_(settings.frequency_hz),
      guard_(opened(settings)) {
    set_tag_propagation_policy(TPP_DONT);
    for (const std::string& notice : guard_->notices()) {
        d_logger->warn(notice);
    }
    message_port_register_in(events_port());
    message_port_register_in(inhibit_port());
    message_port_register_out(reports_port());
    set_msg_handler(events_port(), [this](const pmt::pmt_t& m) { on_events(m); });
    set_msg_handler(inhibit_port(), [this](const pmt::pmt_t& m) { on_inhibit(m); });
}

bool transmit_guard_impl::start() {
    burst_.reset();
    pending_.clear();
    pending_from_ = 0;
    tags_.clear();
    wall_less_radio_.reset();
    heard_.clear();
    center_hz_ = settings_.frequency_hz;
    return gr::block::start();
}

void transmit_guard_impl::set_inhibited(bool inhibited) {
    const std::lock_guard<std::mutex> lock(mutex_);
    guard_->set_inhibited(inhibited);
}

bool transmit_guard_impl::inhibited() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return guard_->inhibited();
}

std::string transmit_guard_impl::last_refusal() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return last_refusal_;
}

std::map<std::string, std::uint64_t> transmit_guard_impl::counters() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::map<std::string, std::uint64_t> out{{"samples_outside", outside_}, {"bursts_cut", cut_}};
    add_counters(guard_->counters(), out);
    return out;
}

void transmit_guard_impl::on_inhibit(const pmt::pmt_t& message) {
    if (message && pmt::is_bool(message)) {
        set_inhibited(pmt::to_bool(message));
    }
}

void transmit_guard_impl::on_events(const pmt::pmt_t& message) {
    try {
        const auto in = read_pdu(message);
        const auto clock = in ? read_time(in->meta, "clock") : std::nullopt;
        const auto power_dbfs = in ? read_real(in->meta, "power_dbfs") : std::nullopt;
        if (!clock || !in->bytes.empty() || !power_dbfs) {
            return;
        }
        const std::lock_guard<std::mutex> lock(mutex_);
        const Instant wall = to_wall(*clock);
        listen(wall, *power_dbfs);
        if (!zeros_) {
            identify(wall);
        }
    } catch (const std::exception&) {  // pmt throws for values of a kind nobody expects
    }
}

/// The radio's time as nanoseconds since 1970. Never before the last burst that passed.
Instant transmit_guard_impl::to_wall(Instant radio) {
    if (!wall_less_radio_ || radio < latest_radio_ - kReordering) {
        wall_less_radio_ = std::max(wall_clock(), guard_->latest()) - radio;
        heard_.clear();
        latest_radio_ = radio;
    }
    latest_radio_ = std::max(latest_radio_, radio);
    return radio + *wall_less_radio_;
}

/// `power_dbfs`: mean of the millisecond that ended at `wall`.
void transmit_guard_impl::listen(Instant wall, double power_dbfs) {
    const Duration span = guard_->listen_for();
    if (span == Duration{} || guard_->plan() == nullptr) {
        return;
    }
    const auto ticks = static_cast<std::size_t>((span + kTick - Duration{1}) / kTick);
    heard_.push_back(std::pow(10.0, power_dbfs / 10.0));
    if (heard_.size() > ticks) {
        heard_.pop_front();
    }
    if (heard_.size() == ticks) {
        double sum = 0.0;
        for (const double power : heard_) {
            sum += power;
        }
        guard_->on_listened(wall, guard_->plan()->config().receive_full_scale_dbm +
                                      10.0 * std::log10(sum / static_cast<double>(ticks)));
    }
}

/// The call sign, when it is due.
void transmit_guard_impl::identify(Instant wall) {
    if (const auto mark = guard_->poll_identification(wall + kLead)) {
        pmt::pmt_t frequency;  // the mark is judged at the carrier that was stated
        if (center_hz_ != settings_.frequency_hz) {
            center_hz_ = settings_.frequency_hz;
            frequency = pmt::from_double(center_hz_);
        }
        emit(mark->samples, mark->at - *wall_less_radio_, frequency, std::nullopt);
    }
}

void transmit_guard_impl::forecast(int /*noutput_items*/, gr_vector_int& ninput_items_required) {
    ninput_items_required[0] = pending_from_ < pending_.size() ? 0 : 1;
}

std::uint64_t transmit_guard_impl::next_output() {
    return nitems_written(0) + (pending_.size() - pending_from_);
}

int transmit_guard_impl::general_work(int noutput_items, gr_vector_int& ninput_items,
                                      gr_vector_const_void_star& input_items, gr_vector_void_star& output_items) {
    if (pending_from_ == pending_.size()) {
        pending_.clear();
        pending_from_ = 0;
        const auto n = static_cast<std::size_t>(ninput_items[0]);
        const std::lock_guard<std::mutex> lock(mutex_);
        take({static_cast<const gr_complex*>(input_items[0]), n}, nitems_read(0));
        consume(0, static_cast<int>(n));
    }
    const std::size_t n = std::min(static_cast<std::size_t>(noutput_items), pending_.size() - pending_from_);
    std::copy_n(pending_.data() + pending_from_, n, static_cast<gr_complex*>(output_items[0]));
    pending_from_ += n;
    const std::uint64_t end = nitems_written(0) + n;
    for (; !tags_.empty() && tags_.front().offset < end; tags_.pop_front()) {
        add_item_tag(0, tags_.front().offset, tags_.front().key, tags_.front().value, pmt::mp(alias()));
    }
    return static_cast<int>(n);
}

/// Cuts the stream at its tags. `first`: offset of in[0].
void transmit_guard_impl::take(std::span<const gr_complex> in, std::uint64_t first) {
    std::vector<gr::tag_t> tags;
    get_tags_in_range(tags, 0, first, first + in.size());
    std::stable_sort(tags.begin(), tags.end(), gr::tag_t::offset_compare);
    // Of one sample, what begins a burst comes before what belongs to it.
    const auto begins = [&](const gr::tag_t& t) {
        return pmt::eqv(t.key, pmt::is_null(length_tag_) ? pmt::mp("tx_sob") : length_tag_);
    };
    std::uint64_t done = first;
    for (std::size_t i = 0; i < tags.size();) {
        const std::uint64_t offset = tags[i].offset;
        std::size_t next = i;
        while (next < tags.size() && tags[next].offset == offset) {
            ++next;
        }
        take_samples(in.subspan(done - first, offset - done), done, std::nullopt);
        done = offset;
        std::stable_partition(tags.begin() + static_cast<std::ptrdiff_t>(i),
                              tags.begin() + static_cast<std::ptrdiff_t>(next), begins);
        bool ends = false;
        for (; i < next; ++i) {
            if (begins(tags[i])) {
                const auto length = pmt::is_null(length_tag_) ? std::optional<double>(0.0) : to_real(tags[i].value);
                if (length && *length >= 0.0 && *length <= 1e12) {
                    begin(offset, static_cast<std::uint64_t>(*length));
                }
            } else if (pmt::eqv(tags[i].key, pmt::mp("tx_eob")) && pmt::is_null(length_tag_)) {
                ends = true;
            } else {
                on_tag(tags[i]);
            }
        }
        if (ends) {
            take_samples(in.subspan(done - first, 1), done, offset + 1);
            done = offset + 1;
        }
    }
    take_samples(in.subspan(done - first), done, std::nullopt);
}

void transmit_guard_impl::on_tag(const gr::tag_t& tag) {
    if (pmt::eqv(tag.key, pmt::mp("tx_freq"))) {
        const bool of_channel = pmt::is_pair(tag.value);
        center_hz_ = to_real(of_channel ? pmt::cdr(tag.value) : tag.value).value_or(0.0);  // 0 Hz: in no band
        if (burst_ && burst_->first == tag.offset) {
            burst_->frequency = center_hz_;
            burst_->frequency_tag = tag.value;
        }
    } else if (burst_ && burst_->first == tag.offset && pmt::eqv(tag.key, pmt::mp("tx_time"))) {
        burst_->at = to_instant(tag.value);
    } else if (burst_ && burst_->first == tag.offset && pmt::eqv(tag.key, pmt::mp("burst_id")) &&
               pmt::is_uint64(tag.value)) {
        burst_->id = pmt::to_uint64(tag.value);
    }
}

void transmit_guard_impl::begin(std::uint64_t offset, std::uint64_t length) {
    cut();
    burst_.emplace();
    burst_->first = offset;
    burst_->length = length;
    if (length == 0 && !pmt::is_null(length_tag_)) {
        burst_.reset();
    }
}

/// A burst that is not whole.
void transmit_guard_impl::cut() {
    if (burst_) {
        ++cut_;
        refuse(burst_->id, "a burst began before the last one had ended: the end of that is missing", -2);
        if (zeros_) {
            emit_zeros(burst_->samples.size() + burst_->dropped);
        }
        burst_.reset();
    }
}

/// `end_of_burst`: the burst under way ends with the last of these samples.
void transmit_guard_impl::take_samples(std::span<const gr_complex> in, std::uint64_t first,
                                       std::optional<std::uint64_t> end_of_burst) {
    while (!in.empty()) {
        if (!burst_) {
            outside_ += static_cast<std::uint64_t>(
                std::count_if(in.begin(), in.end(), [](const gr_complex& v) { return v != gr_complex{}; }));
            if (zeros_) {
                emit_zeros(in.size());
            }
            return;
        }
        std::size_t n = in.size();
        if (burst_->length > 0) {
            n = std::min<std::uint64_t>(n, burst_->length - (first - burst_->first));
        }
        const std::size_t kept = std::min(n, kMaxBurstSamples - burst_->samples.size());
        burst_->samples.insert(burst_->samples.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(kept));
        burst_->dropped += n - kept;
        first += n;
        in = in.subspan(n);
        if ((burst_->length > 0 && first == burst_->first + burst_->length) ||
            (end_of_burst && first == *end_of_burst)) {
            end_burst();
        }
    }
}

void transmit_guard_impl::end_burst() {
    const Incoming burst = std::move(*burst_);
    burst_.reset();
    if (burst.dropped > 0) {
        ++cut_;
        refuse(burst.id,
               "a burst of " + std::to_string(burst.samples.size() + burst.dropped) +
                   " samples; the longest that is judged has " + std::to_string(kMaxBurstSamples),
               -3);
        if (zeros_) {
            emit_zeros(burst.samples.size() + burst.dropped);
        }
        return;
    }
    Instant first{};
    if (zeros_) {
        first = to_wall(clock_.to_instant(burst.first));
    } else {
        first = burst.at ? to_wall(*burst.at) : std::max(wall_clock(), guard_->latest());
    }
    const auto refused = guard_->judge({center_hz_, settings_.sample_rate_hz, burst.samples, first});
    if (refused) {
        refuse(burst.id, refused->sentence, static_cast<int>(refused->kind));
        if (zeros_) {
            emit_zeros(burst.samples.size());
        }
        return;
    }
    emit(burst.samples, burst.at, burst.frequency_tag, burst.id);
}

void transmit_guard_impl::refuse(const std::optional<std::uint64_t>& id, const std::string& sentence, int kind) {
    last_refusal_ = sentence;
    if (said_ != kind) {
        log_ = {};  // another reason is said at once
        said_ = kind;
    }
    log_.warn(d_logger, "not sent: " + sentence);
    pmt::pmt_t report = add(pmt::make_dict(), "outcome", pmt::mp("refused"));
    report = add(report, "reason", pmt::mp(sentence));
    if (id) {
        report = add(report, "id", pmt::from_uint64(*id));
    }
    message_port_pub(reports_port(), report);
}

void transmit_guard_impl::emit(std::span<const gr_complex> samples, const std::optional<Instant>& at,
                               const pmt::pmt_t& frequency, const std::optional<std::uint64_t>& id) {
    const std::uint64_t first = next_output();
    if (pmt::is_null(length_tag_)) {
        tags_.push_back({first, pmt::mp("tx_sob"), pmt::PMT_T});
    } else {
        tags_.push_back({first, length_tag_, pmt::from_long(static_cast<long>(samples.size()))});
    }
    if (at) {
        tags_.push_back({first, pmt::mp("tx_time"), from_instant(*at)});
    }
    if (frequency) {
        tags_.push_back({first, pmt::mp("tx_freq"), frequency});
    }
    if (id) {
        tags_.push_back({first, pmt::mp("burst_id"), pmt::from_uint64(*id)});
    }
    pending_.insert(pending_.end(), samples.begin(), samples.end());
    if (pmt::is_null(length_tag_)) {
        tags_.push_back({first + samples.size() - 1, pmt::mp("tx_eob"), pmt::PMT_T});
    }
}

void transmit_guard_impl::emit_zeros(std::uint64_t count) {
    const std::uint64_t first = next_output();
    const std::size_t from = pending_.size();
    pending_.resize(from + count);
    for (std::uint64_t at = first; at < first + count;) {
        if (!mark_ && !next_mark(at)) {
            at += std::max<std::uint64_t>(1, clock_.to_index(Instant{} + kLead));
            continue;
        }
        // Bursts that would meet it are refused: it lies among zeros.
        const std::uint64_t begin = std::max(at, mark_->first);
        const std::uint64_t end = std::min(first + count, mark_->first + mark_->samples.size());
        if (begin < end) {
            std::copy_n(mark_->samples.begin() + static_cast<std::ptrdiff_t>(begin - mark_->first), end - begin,
                        pending_.begin() + static_cast<std::ptrdiff_t>(from + (begin - first)));
        }
        if (first + count < mark_->first + mark_->samples.size()) {
            return;  // the rest of it comes with the next zeros
        }
        at = mark_->first + mark_->samples.size();
        mark_.reset();
    }
}

/// The call sign in a stream of zeros, when it is due. `from`: offset of the first sample that can still be its.
bool transmit_guard_impl::next_mark(std::uint64_t from) {
    const auto due = guard_->poll_identification(to_wall(clock_.to_instant(from)));
    if (!due) {
        return false;
    }
    const std::uint64_t first = std::max(from, clock_.to_index(due->at - *wall_less_radio_));
    mark_.emplace(Mark{first, {due->samples.begin(), due->samples.end()}});
    if (pmt::is_null(length_tag_)) {
        tags_.push_back({first, pmt::mp("tx_sob"), pmt::PMT_T});
        tags_.push_back({first + mark_->samples.size() - 1, pmt::mp("tx_eob"), pmt::PMT_T});
    } else {
        tags_.push_back({first, length_tag_, pmt::from_long(static_cast<long>(mark_->samples.size()))});
    }
    return true;
}

}  // namespace gr::meshnet
