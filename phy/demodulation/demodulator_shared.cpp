// SPDX-License-Identifier: MIT
#include "phy/demodulation/demodulator_shared.hpp"

#include <utility>

namespace meshnet::phy {

DemodulatorShared::DemodulatorShared(const Profile& profile, std::unique_ptr<EstimationStrategy> estimation)
    : grid(profile),
      training(grid),
      tracker(grid),
      time_varying(grid),
      transform(grid),
      strategy(std::move(estimation)),
      decoder(grid) {
    training_rows.resize(class_params(profile, PreambleClass::kLong).training_symbols * profile.carriers);
    channel.resize(profile.carriers);
    rotation_re.resize(profile.carriers);
    rotation_im.resize(profile.carriers);
    points.resize(profile.carriers);
    power.resize(profile.carriers);
    lost.resize(training_rows.size());
    greatest.resize(training_rows.size() / profile.carriers);
    expected.resize(profile.carriers);
    weights.resize(profile.carriers);
    llr.resize(profile.carriers * 8);
    static_cast<void>(header_constellation());  // makes the tables here and not while samples arrive
}

}  // namespace meshnet::phy
