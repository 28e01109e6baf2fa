// SPDX-License-Identifier: MIT
// PSBTs of wallets.
#include <algorithm>
#include <cstdlib>

#include "bitcoin/psbt.hpp"

using namespace meshnet;
using namespace meshnet::bitcoin;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView in(data, size);
    (void)Psbt::from_text({reinterpret_cast<const char*>(data), size});
    const auto psbt = Psbt::decode(in);
    if (!psbt) {
        if (psbt.error().message.find('\n') != std::string::npos) std::abort();
        return 0;
    }
    const Bytes again = psbt->encode();
    if (!std::equal(again.begin(), again.end(), in.begin(), in.end())) std::abort();
    if (*Psbt::from_text(psbt->to_text()) != *psbt) std::abort();
    Psbt other = *psbt;
    if (!other.combine(*psbt) || other != *psbt) std::abort();
    for (std::size_t i = 0; i < psbt->unsigned_tx().inputs.size(); ++i) {
        (void)psbt->spent(i);
        (void)psbt->witness_script(i);
        other.finalize(i, {Bytes{1}});
    }
    if (!other.extract() && !psbt->unsigned_tx().inputs.empty()) std::abort();
    (void)psbt->extract();
    if (!Psbt::decode(other.encode())) std::abort();
    return 0;
}
