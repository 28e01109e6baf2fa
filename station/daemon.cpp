// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/daemon.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "host/file.hpp"
#include "host/text.hpp"
#include "net/icmpv6.hpp"
#include "node/doppler_hint.hpp"
#include "node/node.hpp"
#include "node/node_driver.hpp"
#include "node/phy_model.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "station/control/control_service.hpp"
#include "station/control/signal_log.hpp"
#include "station/guard/transmit_guard.hpp"
#include "station/idle_pause.hpp"
#include "station/key_file.hpp"
#include "station/ledger/ledger_sqlite.hpp"
#include "station/money_log.hpp"
#include "station/open_services.hpp"
#include "station/radio/radio.hpp"
#include "station/radio/radio_supervisor.hpp"
#include "station/radio/recorder.hpp"
#include "station/tun.hpp"

namespace meshnet::station {

namespace {

using WallClock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::milliseconds(100);  // watchdog, watchers, log of changes
constexpr int kPacketsPerTurn = 64;                     // read from the TUN before samples get their turn

void warn_line(const std::string& line) {
    spdlog::warn("{}", line);
}

Result<host::UniqueFd> make_signal_fd() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);  // of a closed terminal or a habit of administrators: no reason to die uncleanly
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    host::UniqueFd fd{::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)};
    if (!fd) {
        return host::system_error("no signalfd", errno);
    }
    return fd;
}

Result<host::UniqueFd> make_timer() {
    host::UniqueFd fd{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
    itimerspec spec{};
    spec.it_interval.tv_nsec = std::chrono::nanoseconds(kTick).count();
    spec.it_value = spec.it_interval;
    if (!fd || ::timerfd_settime(fd.get(), 0, &spec, nullptr) != 0) {
        return host::system_error("no timerfd", errno);
    }
    return fd;
}

node::Node::Config node_config(const Config& config, net::Identity identity) {
    node::Node::Config out;
    out.mac = config.mac;
    if (const auto fixed = phy::find_mode(config.fixed_mode)) {
        out.mac.fixed_mode = static_cast<mac::ModeIndex>(*fixed - node::first_mode(config.longest_preamble));
    }
    out.router.identity = std::move(identity);
    out.router.price_msat_per_mib = config.price_msat_per_mib;
    out.router.max_price_msat_per_mib = config.max_price_msat_per_mib;
    out.router.unit_bytes = config.unit_bytes;
    out.router.initial_window_bytes = config.initial_window_bytes;
    out.router.max_window_bytes = config.max_window_bytes;
    out.router.closed_fleet = config.neighbours;
    out.router.pad_frames = config.pad_frames;
    out.router.pay = config.pay;
    out.router.credit = config.credit;
    out.router.spend = config.spend;
    out.router.mtu = config.tun_mtu;
    return out;
}

/// One line for each neighbour that came or went since the last call.
class NeighborLog {
public:
    void update(node::Node& node, const RadioLink& link) {
        std::map<std::uint32_t, bool> seen;
        for (const auto& n : node.mac().neighbors(link.now())) {
            if (!n.up) {
                continue;
            }
            seen[n.quality.peer] = false;
            if (!known_.contains(n.quality.peer)) {
                spdlog::info("neighbour {} heard: snr {:.1f} dB, mode {}", link_name(n.quality.peer), n.quality.snr_db,
                             link.mode_name(n.quality.mode));
            }
        }
        for (const auto& n : node.router().neighbors()) {
            if (auto it = seen.find(n.link); it != seen.end()) {
                it->second = n.session_up;
                if (n.session_up && !(known_.contains(n.link) && known_[n.link])) {
                    spdlog::info("neighbour {} session up: {}", link_name(n.link), net::to_string(n.address));
                }
            }
        }
        for (const auto& [peer, session] : known_) {
            if (!seen.contains(peer)) {
                spdlog::info("neighbour {} gone", link_name(peer));
            }
        }
        known_ = std::move(seen);
    }

private:
    std::map<std::uint32_t, bool> known_;  // neighbours up when last logged; true: with a session
};

/// One line when two stations are found to use one key, and one when that is over.
class AlarmLog {
public:
    void update(const net::Router& router) {
        std::map<net::NodeId, bool> seen;
        for (const auto& a : router.alarms()) {
            seen[a.id] = a.own;
            if (known_.contains(a.id)) {
                continue;
            }
            if (a.own) {
                spdlog::error(
                    "ALARM: another station uses the key of this one ({}): nothing is paid with it; stop one of the "
                    "two, move its key_file and ledger_file away, and start it as a new station",
                    net::to_string(a.address));
            } else {
                spdlog::warn(
                    "ALARM: two stations use the key of {}: nothing is carried that it would pay for; its operator "
                    "must stop one and give it a new key",
                    net::to_string(a.address));
            }
        }
        for (const auto& [id, own] : known_) {
            if (!seen.contains(id)) {
                spdlog::info("alarm over: no sign for 10 min of a second station with the key of {}",
                             own ? "this one" : net::to_string(net::address_of(id)));
            }
        }
        known_ = std::move(seen);
        if (router.superseded() && !superseded_) {
            superseded_ = true;
            spdlog::error(
                "ALARM: the key of this device was replaced or revoked by its master key: others deal with it no "
                "more; install the new device key, or ask whoever holds the master key");
        }
    }

private:
    bool superseded_ = false;
    std::map<net::NodeId, bool> known_;  // alarms when last logged; true: of our own key
};

/// One line that names what of this machine every station of the mesh can connect to, unless a firewall stands before
/// it: which rules there are, the daemon has no right to read.
void name_open_services(const std::string& interface) {
    const auto text = host::read_file("/proc/net/tcp6", std::size_t{16} << 20U);
    std::string ports;
    for (const auto port : open_services(text ? *text : std::string())) {
        ports += (ports.empty() ? "" : ", ") + std::to_string(port);
    }
    if (!ports.empty()) {
        spdlog::info(
            "TCP ports {} listen on every address: the whole mesh reaches them over {} unless a firewall forbids it "
            "(meshnet.nft is one)",
            ports, interface);
    }
}

/// The guard before a radio that reaches an antenna; null for others.
Result<std::shared_ptr<TransmitGuard>> guard_of(const Config& config) {
    if (!reaches_antenna(config.device)) {
        return std::shared_ptr<TransmitGuard>();
    }
    const auto now = std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch());
    auto guard = open_guard(config.transmit, phy::find_profile(config.profile)->sample_rate_hz, Instant{now});
    if (!guard) {
        return Error{guard.error().code, "[transmit] " + guard.error().message};
    }
    for (const auto& line : (*guard)->notices()) {
        spdlog::warn("transmit guard: {}", line);
    }
    if ((*guard)->plan() == nullptr) {
        spdlog::warn("this station only listens: [transmit] names no band (meshnet-cli bands lists them)");
    }
    return guard;
}

/// What start() opens, in its order.
struct Parts {
    host::UniqueFd signals, ticker;
    ControlServer control;
    net::Identity identity;
    std::unique_ptr<SqliteLedger> ledger;
    std::unique_ptr<Radio> radio;
    std::shared_ptr<Recorder> recorder;    // null: nothing is recorded
    std::shared_ptr<TransmitGuard> guard;  // null: the radio reaches no antenna
};

}  // namespace

struct Daemon::Impl final : RadioEvents {
    Impl(const Config& c, Parts&& parts)
        : config(c),
          guard(std::move(parts.guard)),
          recorder(std::move(parts.recorder)),
          control(std::move(parts.control), station_for_control()),
          ledger(std::move(parts.ledger)),
          radio(
              {phy::find_profile(c.profile), c.longest_preamble, static_cast<unsigned>(c.decode_threads), true},
              std::move(parts.radio), [this] { return reopen_radio(); }, c.device, WallClock::now()),
          model(*phy::find_profile(c.profile), radio.link().clock().rate(), node::first_mode(c.longest_preamble)),
          node(node_config(c, std::move(parts.identity)), model, random, ledger->state()),
          icmp_errors(c.tun_mtu),
          signals(std::move(parts.signals)),
          ticker(std::move(parts.ticker)),
          price(c.price_msat_per_mib) {}

    // From the radio.
    void on_frame(Instant now, const mac::RxFrame& frame) override {
        if (!inversion_reported && radio.link().receiver().counters().frames_inverted > 0) {
            inversion_reported = true;
            spdlog::warn(
                "frames arrive with an inverted spectrum: they are received, but what this station sends is probably "
                "inverted too; [radio] invert is {} here: turn it over",
                config.radio.invert);
        }
        if (spdlog::should_log(spdlog::level::debug)) {
            std::size_t good = 0;
            for (const auto& s : frame.segments) {
                good += s.ok ? 1 : 0;
            }
            spdlog::debug("frame {} bytes {} blocks {}/{} snr {:.1f} dB cfo {:.0f} Hz", frame.payload.size(),
                          radio.link().mode_name(frame.mode), good, frame.segments.size(), frame.snr_db, frame.cfo_hz);
        }
        signal.on_frame(frame);
        node.on_frame(now, frame);
    }
    void on_samples(Instant now, std::span<const phy::Sample> samples) override { signal.on_samples(now, samples); }
    void on_carrier(Instant now, bool busy) override { node.on_carrier(now, busy); }
    void on_transmitted(Instant now, std::uint64_t id, mac::TxOutcome outcome) override {
        if (outcome == mac::TxOutcome::kLate) {
            spdlog::debug("burst {} was late", id);
        }
        signal.on_transmitted(id, outcome);
        node.on_transmitted(now, id, outcome);
    }
    void on_radio_timing(Instant now, const mac::RadioTiming& timing) override {
        node.mac().set_radio_timing(now, timing);
    }
    void on_time(Instant now) override {
        node::wake(node, now);
        pump();
        follow_doppler(now);
    }

    // For node::drive().
    void transmit(mac::TxRequest&& request) {
        signal.on_transmit(request, model.airtime(request.mode, request.payload.size()));
        radio.transmit(request);
    }
    void deliver(Bytes&& packet) {
        if (tun) {
            tun->write(packet);
        } else {
            control.deliver(packet);
        }
    }
    void undeliverable(net::UndeliverablePacket&& packet) {
        if (auto answer = icmp_errors.answer(radio.now(), packet)) {
            deliver(std::move(*answer));
        }
    }
    void persist(net::LedgerBatch&& batch) { ledger->submit(std::move(batch)); }

    /// A radio that was lost, and its recording, which goes on.
    Result<std::unique_ptr<Radio>> reopen_radio() {
        auto again = open_radio(config.device, *phy::find_profile(config.profile), config.radio, guard);
        if (again && recorder) {
            return record_radio(std::move(again).value(), recorder);
        }
        return again;
    }

    /// Takes out of the samples what the neighbours' earlier frames say of their Doppler.
    void follow_doppler(Instant now) {
        constexpr Duration kEvery = 500ms;
        if (now < next_hint || radio.link().receiver().reception_ends()) {
            return;
        }
        next_hint = now + kEvery;
        const auto hint = node::doppler_hint(node.mac().doppler(now), phy::find_profile(config.profile)->max_cfo_hz);
        if (hint != phy::DopplerShift{} || hinted) {
            radio.set_doppler_hint(hint);
            hinted = hint != phy::DopplerShift{};
        }
    }

    void pump() {
        node::drive(node, radio.now(), *this);
        const net::Router& router = node.router();
        if (tun && router.station_changes() != stations_seen) {
            stations_seen = router.station_changes();
            tun->set_stations(router.stations());
        }
    }

    [[nodiscard]] bool on_air() const { return radio.link().receiver().carrier_busy() || radio.link().sending(); }

    void read_tun() {
        host_active = true;
        for (int i = 0; i < kPacketsPerTurn; ++i) {
            const auto packet = tun->read();
            if (!packet) {
                break;
            }
            node.on_packet(radio.now(), *packet);
        }
        pump();
    }

    /// False if the signal is one to stop at.
    bool go_on_after_signal() {
        signalfd_siginfo info{};
        if (::read(signals.get(), &info, sizeof info) != sizeof info || info.ssi_signo != SIGHUP) {
            return false;
        }
        spdlog::info("SIGHUP: the configuration is read at the start only; restart to change it, or use meshnet price");
        return true;
    }

    void read_ledger() {
        if (const bool locked = ledger->locked(); locked != ledger_locked) {
            ledger_locked = locked;
            if (locked) {
                spdlog::warn(
                    "ledger {} is locked by another program: nothing is acknowledged or carried on credit until it "
                    "lets go",
                    config.ledger_file);
            } else {
                spdlog::info("ledger {} can be written again", config.ledger_file);
            }
        }
        if (const auto persisted = ledger->take_persisted(); persisted != 0) {
            node.on_persisted(radio.now(), persisted);
            pump();
        }
    }

    void read_radio() {
        if (!radio.receive(WallClock::now(), *this)) {
            spdlog::info("the recording is over");
            if (radio.link().receiver().counters().preambles == 0) {
                spdlog::warn("no preamble was found in {}: is its format, sample rate or profile another?",
                             config.device);
            }
            running = false;
        }
    }

    void on_tick() {
        std::uint64_t ticks = 0;
        (void)!::read(ticker.get(), &ticks, sizeof ticks);
        const auto wall = WallClock::now();
        radio.on_tick(wall, *this);
        control.on_tick(wall);
        neighbors.update(node, radio.link());
        alarms.update(node.router());
        money.update(node.router(), radio.link().now());
        if (tun) {
            tun->on_tick(wall);
        }
    }

    ViewContext view_context() {
        ViewContext c{node,         config,
                      radio.link(), std::chrono::duration_cast<Duration>(WallClock::now() - started),
                      price,        tun != nullptr && tun->trouble().empty()};
        if (tun) {
            c.tun_name = tun->name();
            c.tun_state = c.tun_up ? "up" : tun->trouble();
            c.interface = tun->counters();
        }
        c.icmp = icmp_errors.counters();
        c.guard = guard.get();
        c.signal = &signal;
        c.radio_up = radio.up();
        c.samples_ago = std::chrono::duration_cast<Duration>(WallClock::now() - radio.last_samples());
        return c;
    }

    ControlService::Station station_for_control() {
        return {[this] { return view_context(); },
                [this](ByteView packet) {
                    host_active = true;
                    node.on_packet(radio.now(), packet);
                    pump();
                },
                [this](std::uint64_t msat_per_mib) {
                    price = msat_per_mib;
                    node.router().set_price(radio.now(), price);
                    pump();
                },
                [this] { running = false; },
                [this] {
                    return "{\"address\":\"" + net::to_string(node.router().address()) +
                           "\",\"mtu\":" + std::to_string(config.tun_mtu) + "}";
                },
                [this] {
                    return tun ? "this station has TUN " + config.tun_name + "; set enabled = false in [tun]"
                               : std::string();
                },
                [this](const net::Certificate& certificate) {
                    const bool news = node.router().publish(radio.now(), certificate);
                    pump();
                    return news;
                },
                guard ? std::function<void(bool)>([this](bool on) { guard->set_inhibited(on); }) : nullptr,
                [this](const PaymentOrder& order, std::function<void(Result<std::string>)> done) {
                    const auto unix_s = static_cast<std::uint64_t>(std::time(nullptr));
                    run_payment_order(order, node.router(), config.settlement, radio.now(), unix_s, std::move(done));
                    pump();
                }};
    }

    /// Sends what the law wants sent last, for 15 s at most: a call sign in Morse code takes 5 to 10.
    void sign_off() {
        radio.sign_off();
        const auto until = WallClock::now() + std::chrono::seconds(15);
        do {
            pollfd fd{radio.fd(), POLLIN, 0};
            ::poll(&fd, 1, 100);
            read_radio();
        } while (radio.signing_off() && WallClock::now() < until);
    }

    Status loop() {
        enum : std::size_t { kSignals, kTicker, kLedger, kRadio, kTun, kTunChanges };
        std::vector<pollfd> fds;
        while (running) {
            const bool pause =
                radio.fd() >= 0 &&
                idle.may_wait(radio.now(), std::exchange(host_active, false) || on_air(), node.next_timeout());
            fds.assign({{signals.get(), POLLIN, 0},
                        {ticker.get(), POLLIN, 0},
                        {ledger->fd(), POLLIN, 0},
                        {pause ? -1 : radio.fd(), POLLIN, 0},
                        {tun ? tun->fd() : -1, POLLIN, 0},
                        {tun ? tun->changes_fd() : -1, POLLIN, 0}});
            control.add_poll(fds);
            if (::poll(fds.data(), fds.size(), pause ? static_cast<int>(idle.length() / 1ms) : -1) < 0 &&
                errno != EINTR) {
                return host::system_error("poll", errno);
            }
            if (fds[kSignals].revents != 0 && !go_on_after_signal()) {
                spdlog::info("stopping");
                break;
            }
            if (fds[kRadio].revents != 0 || pause) {  // first of all: whatever is decided, is decided at the air's time
                read_radio();
            }
            if (fds[kLedger].revents != 0) {
                read_ledger();
            }
            if (fds[kTun].revents != 0) {
                read_tun();
            }
            if (fds[kTunChanges].revents != 0) {
                tun->take_changes();
            }
            control.handle(fds);
            if (fds[kTicker].revents != 0) {
                on_tick();
            }
            if (const auto failed = ledger->failure()) {
                return Error{ErrorCode::kSystem, "the ledger cannot be written: " + *failed +
                                                     "; stopped before anything more is carried on credit"};
            }
        }
        return Ok{};
    }

    Config config;
    std::shared_ptr<TransmitGuard> guard;
    std::shared_ptr<Recorder> recorder;
    SystemRandom random;
    ControlService control;
    std::unique_ptr<SqliteLedger> ledger;
    RadioSupervisor radio;
    node::PhyModel model;
    node::Node node;
    std::unique_ptr<Tun> tun;
    std::uint64_t stations_seen = 0;
    Instant next_hint{};
    bool hinted = false;  // the receiver takes a Doppler out
    net::IcmpErrors icmp_errors;
    host::UniqueFd signals, ticker;
    std::uint64_t price;
    NeighborLog neighbors;
    AlarmLog alarms;
    MoneyLog money;
    SignalLog signal;
    WallClock::time_point started = WallClock::now();
    IdlePause idle{config.mac.turnaround, model.airtime(static_cast<mac::ModeIndex>(model.mode_count() - 1), 1)};
    bool host_active = false;  // our own host sent since the last turn
    bool ledger_locked = false;
    bool inversion_reported = false;
    bool running = true;
};

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(const Config& config, const RecordTo& record) {
    if (auto ready = init_random(); !ready) {
        return ready.error();
    }
    auto signals = make_signal_fd();
    if (!signals) {
        return signals.error();
    }
    auto ticker = make_timer();
    if (!ticker) {
        return ticker.error();
    }
    auto control = ControlServer::listen(config.control_socket);
    if (!control) {
        return control.error();
    }
    SystemRandom random;
    std::error_code ignored;
    const bool ledger_there = std::filesystem::exists(config.ledger_file, ignored);
    auto key = load_or_create_key(config.key_file, config.ledger_file, random);
    if (!key) {
        return key.error();
    }
    if (key->created) {
        spdlog::info("made new keys in {}", config.key_file);
    } else if (!ledger_there) {
        spdlog::warn("keys {} had no ledger {}: an empty one is made; if there is one, stop and put it back",
                     config.key_file, config.ledger_file);
    }
    auto ledger = SqliteLedger::open(config.ledger_file, {.owner = key->identity.id()});
    if (!ledger) {
        return ledger.error();
    }
    auto guard = guard_of(config);
    if (!guard) {
        return guard.error();
    }
    auto radio = open_radio(config.device, *phy::find_profile(config.profile), config.radio, *guard);
    if (!radio) {
        return radio.error();
    }
    std::shared_ptr<Recorder> recorder;
    if (!record.path.empty()) {
        auto made = Recorder::create(record.path, (*radio)->sample_rate().hz(), record.force, warn_line);
        if (!made) {
            return made.error();
        }
        recorder = std::move(*made);
        radio = record_radio(std::move(radio).value(), recorder);
    }
    const net::Address address = key->identity.address();
    std::unique_ptr<Impl> impl;
    try {
        impl = std::make_unique<Impl>(
            config, Parts{std::move(signals).value(), std::move(ticker).value(), std::move(control).value(),
                          std::move(key->identity), std::move(ledger).value(), std::move(radio).value(),
                          std::move(recorder), std::move(guard).value()});
    } catch (const std::invalid_argument& e) {
        return Error{ErrorCode::kInvalidArgument, std::string("configuration: ") + e.what()};
    }
    if (config.tun_enabled) {
        auto tun = Tun::open({config.tun_name, address, config.tun_mtu, config.tun_route, config.tun_prefixes,
                              config.tun_congestion_control});
        if (!tun) {
            return tun.error();
        }
        impl->tun = std::move(tun).value();
        for (const auto& line : impl->tun->shadowed_routes()) {
            spdlog::warn("{}", line);
        }
        name_open_services(config.tun_name);
    }
    spdlog::info("station {} is {} on {}, profile {}, {}", config.name, net::to_string(address), config.device,
                 config.profile, config.tun_enabled ? "interface " + config.tun_name : std::string("no TUN"));
    return std::unique_ptr<Daemon>(new Daemon(std::move(impl)));
}

Status Daemon::run() {
    auto result = impl_->loop();
    if (impl_->guard && impl_->guard->plan() != nullptr) {
        impl_->sign_off();
    }
    // What the node has decided and not yet had written is written now; nothing of it has been revealed.
    while (auto batch = impl_->node.poll_persist(impl_->radio.now())) {
        impl_->ledger->submit(std::move(*batch));
    }
    impl_->ledger->close();
    return result;
}

}  // namespace meshnet::station
