// SPDX-License-Identifier: MIT
// Vectors of the standards: BIP 32, 39, 84, 143, 173, and some of BIP 174. Each is quoted from the BIP of its name
// (bitcoin/bips), those of BIP 39 from tests/vectors/bitcoin_bip39.txt.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "bitcoin/address.hpp"
#include "bitcoin/hd_key.hpp"
#include "bitcoin/mnemonic.hpp"
#include "bitcoin/psbt.hpp"
#include "bitcoin/script.hpp"
#include "bitcoin/transaction.hpp"

namespace meshnet::bitcoin {
namespace {

Bytes hex(std::string_view text) {
    const auto out = from_hex(text);
    EXPECT_TRUE(out) << text;
    return out.value_or(Bytes{});
}
SecretKey secret(std::string_view text) {
    SecretBytes bytes{};
    const Bytes raw = hex(text);
    std::copy(raw.begin(), raw.end(), bytes.begin());
    return *SecretKey::from_bytes(bytes);
}

TEST(Hash, KnownValues) {
    // RIPEMD-160: the vectors of its authors.
    EXPECT_EQ(to_hex(ripemd160({})), "9c1185a5c5e9fc54612808977ee8f548b2258d31");
    EXPECT_EQ(to_hex(ripemd160(as_bytes("a"))), "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe");
    EXPECT_EQ(to_hex(ripemd160(as_bytes("abc"))), "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc");
    EXPECT_EQ(to_hex(ripemd160(as_bytes("message digest"))), "5d0689ef49d2fae572b881b123a85ffa21595f36");
    EXPECT_EQ(to_hex(ripemd160(as_bytes("abcdefghijklmnopqrstuvwxyz"))), "f71c27109c692c1b56bbdceb5b9d2865b3708dbc");
    EXPECT_EQ(to_hex(ripemd160(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
              "12a053384a9c0c88e405a06c27dcf49ada62eb2b");
    std::string eights;
    for (int i = 0; i < 8; ++i) eights += "1234567890";
    EXPECT_EQ(to_hex(ripemd160(as_bytes(eights))), "9b752e45573d4b39f4dbd3323cab82bf63326bfb");
    EXPECT_EQ(to_hex(ripemd160(as_bytes(std::string(1'000'000, 'a')))), "52783243c1697bdbe16d37f97f68f08325dc1528");
    EXPECT_EQ(to_hex(sha256d(as_bytes("hello"))), "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50");
}

TEST(Bip32, TestVectors) {
    struct Step {
        const char *path, *public_text, *private_text;
    };
    struct Vector {
        const char* seed;
        std::vector<Step> steps;
    };
    const Vector vectors[] = {
        {"000102030405060708090a0b0c0d0e0f",
         {{"m",
           "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGM"
           "cet8",
           "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxr"
           "MPHi"},
          {"m/0'",
           "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2dZXvg"
           "GDnw",
           "xprv9uHRZZhk6KAJC1avXpDAp4MDc3sQKNxDiPvvkX8Br5ngLNv1TxvUxt4cV1rGL5hj6KCesnDYUhd7oWgT11eZG7XnxHrnYeSvkzY7d2b"
           "hkJ7"},
          {"m/0'/1",
           "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7xmALppu"
           "CkwQ",
           "xprv9wTYmMFdV23N2TdNG573QoEsfRrWKQgWeibmLntzniatZvR9BmLnvSxqu53Kw1UmYPxLgboyZQaXwTCg8MSY3H2EU4pWcQDnRnrVA1x"
           "e8fs"},
          {"m/0'/1/2'",
           "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6f"
           "cLW5",
           "xprv9z4pot5VBttmtdRTWfWQmoH1taj2axGVzFqSb8C9xaxKymcFzXBDptWmT7FwuEzG3ryjH4ktypQSAewRiNMjANTtpgP4mLTj34bhnZX"
           "7UiM"},
          {"m/0'/1/2'/2",
           "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh8zL4fi"
           "yLHV",
           "xprvA2JDeKCSNNZky6uBCviVfJSKyQ1mDYahRjijr5idH2WwLsEd4Hsb2Tyh8RfQMuPh7f7RtyzTtdrbdqqsunu5Mm3wDvUAKRHSC34sJ7i"
           "n334"},
          {"m/0'/1/2'/2/1000000000",
           "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJod"
           "rTHy",
           "xprvA41z7zogVVwxVSgdKUHDy1SKmdb533PjDz7J6N6mV6uS3ze1ai8FHa8kmHScGpWmj4WggLyQjgPie1rFSruoUihUZREPSL39UNdE3BB"
           "Du76"}}},
        {"fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c69666360"
         "5d5a5754514e4b484542",
         {{"m",
           "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEG"
           "uduB",
           "xprv9s21ZrQH143K31xYSDQpPDxsXRTUcvj2iNHm5NUtrGiGG5e2DtALGdso3pGz6ssrdK4PFmM8NSpSBHNqPqm55Qn3LqFtT2emdEXVYsC"
           "zC2U"},
          {"m/0",
           "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMk"
           "QTPH",
           "xprv9vHkqa6EV4sPZHYqZznhT2NPtPCjKuDKGY38FBWLvgaDx45zo9WQRUT3dKYnjwih2yJD9mkrocEZXo1ex8G81dwSM1fwqWpWkeS3v86"
           "pgKt"},
          {"m/0/2147483647'",
           "xpub6ASAVgeehLbnwdqV6UKMHVzgqAG8Gr6riv3Fxxpj8ksbH9ebxaEyBLZ85ySDhKiLDBrQSARLq1uNRts8RuJiHjaDMBU4Zn9h8LZNnBC"
           "5y4a",
           "xprv9wSp6B7kry3Vj9m1zSnLvN3xH8RdsPP1Mh7fAaR7aRLcQMKTR2vidYEeEg2mUCTAwCd6vnxVrcjfy2kRgVsFawNzmjuHc2YmYRmagcE"
           "PdU9"},
          {"m/0/2147483647'/1/2147483646'/2",
           "xpub6FnCn6nSzZAw5Tw7cgR9bi15UV96gLZhjDstkXXxvCLsUXBGXPdSnLFbdpq8p9HmGsApME5hQTZ3emM2rnY5agb9rXpVGyy3bdW6EEg"
           "Atqt",
           "xprvA2nrNbFZABcdryreWet9Ea4LvTJcGsqrMzxHx98MMrotbir7yrKCEXw7nadnHM8Dq38EGfSh6dqA9QWTyefMLEcBYJUuekgW4BYPJcr"
           "9E7j"}}}};
    for (const Vector& v : vectors) {
        const auto master = HdKey::from_seed(hex(v.seed));
        ASSERT_TRUE(master);
        for (const Step& s : v.steps) {
            const auto key = master->derive(*key_path(s.path));
            ASSERT_TRUE(key) << s.path;
            EXPECT_EQ(key->to_text(Network::kMainnet), s.private_text) << s.path;
            EXPECT_EQ(key->public_only().to_text(Network::kMainnet), s.public_text) << s.path;
            EXPECT_EQ(HdKey::from_text(s.private_text)->public_key(), key->public_key());
            EXPECT_EQ(HdKey::from_text(s.public_text)->to_text(Network::kMainnet), s.public_text);
        }
        const auto other = master->derive({7, 8})->public_key();
        EXPECT_EQ(master->public_only().derive({7, 8})->public_key(), other) << "by the public key alone";
        EXPECT_FALSE(master->public_only().child(kHardened));
    }
    for (const char* bad : {"m/", "m//1", "1/2", "m/2147483648", "m/-1", "m/1''", "m/x", "", "m/0'/", "n"}) {
        EXPECT_FALSE(key_path(bad)) << bad;
    }
    EXPECT_EQ(to_string(*key_path("m/84h/1'/5")), "m/84'/1'/5");
    std::string damaged = vectors[0].steps[0].private_text;
    damaged[20] = damaged[20] == 'a' ? 'b' : 'a';
    EXPECT_FALSE(HdKey::from_text(damaged));
}

TEST(Bip39, TestVectors) {
    std::ifstream file(MESHNET_SOURCE_DIR "/tests/vectors/bitcoin_bip39.txt");
    int checked = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with('#')) {
            continue;
        }
        std::istringstream parts(line);
        std::string entropy, words, seed;
        std::getline(parts, entropy, '|');
        std::getline(parts, words, '|');
        std::getline(parts, seed, '|');
        EXPECT_EQ(words_of(hex(entropy)), words);
        EXPECT_EQ(to_hex(*entropy_of(words)), entropy);
        EXPECT_EQ(to_hex(seed_of(words, "TREZOR")), seed);
        ++checked;
    }
    EXPECT_EQ(checked, 24);
    const std::string abandon =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon ";
    EXPECT_TRUE(entropy_of(
        "  Abandon\tabandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about\n"));
    EXPECT_EQ(entropy_of(abandon + "abandon").error().message,
              "the words do not belong together: one is wrong, or two changed places");
    EXPECT_EQ(entropy_of(abandon + "abuot").error().message, "word 12 is not in the list; is it \"about\"?");
    EXPECT_EQ(entropy_of("about").error().message, "there are 12, 15, 18, 21 or 24 words, not 1");
}

TEST(Bip84, TestVectors) {
    const auto seed =
        seed_of("abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about", "");
    const auto master = HdKey::from_seed(seed);
    const auto address = [&](bool change, std::uint32_t index) {
        const auto key = master->derive(bip84_path(Network::kMainnet, 0, change, index));
        return *address_of(Network::kMainnet, p2wpkh(key->public_key()));
    };
    EXPECT_EQ(address(false, 0), "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
    EXPECT_EQ(address(false, 1), "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g");
    EXPECT_EQ(address(true, 0), "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el");
    EXPECT_EQ(to_hex(master->derive(*key_path("m/84'/0'/0'/0/1"))->public_key()),
              "03e775fd51f0dfb8cd865d9ff1cca2a158cf651fe997fdc9fee9c1d3b5e995ea77");
    EXPECT_EQ(to_hex(master->derive(*key_path("m/84'/0'/0'/1/0"))->public_key()),
              "03025324888e429ab8e3dbaf1f7802648b9cd01e9b418485c5fa4c1b9b5700e1a6");
}

// "Native P2WPKH" and "P2SH-P2WPKH": the ways to sign that this project uses (SIGHASH_ALL, version 0).
TEST(Bip143, TestVectors) {
    auto tx = *Transaction::decode(hex(
        "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804cc89d182"
        "d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f"
        "85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000"));
    const SecretKey key = secret("619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9");
    EXPECT_EQ(to_hex(key.public_key()), "025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357");
    EXPECT_EQ(to_hex(p2wpkh(key.public_key())), "00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1");
    const Hash256 hash = sighash_all(tx, 1, p2wpkh_script_code(key.public_key()), 600'000'000);
    EXPECT_EQ(to_hex(hash), "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670");
    const Bytes signature = key.sign(hash);
    EXPECT_EQ(
        to_hex(signature),
        "304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f33"
        "58f51928d43c212a8caed02de67eebee");
    EXPECT_TRUE(verify(key.public_key(), hash, signature));
    tx.inputs[0].script =
        hex("4830450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0"
            "a19c04"
            "89bc22ede944ccf4ecbab4cc618ef3ed01");
    Bytes with_type = signature;
    with_type.push_back(kSighashAll);
    const PublicKey pub = key.public_key();
    tx.inputs[1].witness = {with_type, Bytes(pub.begin(), pub.end())};
    const std::string serialized =
        "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc26b"
        "a6a9"
        "cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc"
        "618e"
        "f3ed01eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb2060000"
        "0000"
        "1976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167f"
        "aa81"
        "5988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f"
        "9030"
        "0e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711"
        "0000"
        "00";
    EXPECT_EQ(to_hex(tx.encode()), serialized);
    EXPECT_EQ(*Transaction::decode(hex(serialized)), tx);

    const auto nested = *Transaction::decode(hex(
        "0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a54770100000000feffffff02b8b4eb0b00000000"
        "1976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a914fd270b1ee6abcaea97fea7ad0402e8bd8a"
        "d6d77c88ac92040000"));
    const SecretKey second = secret("eb696a065ef48a2192da5b28b694f87544b30fae8327c4510137a922f32c6dcf");
    EXPECT_EQ(to_hex(sighash_all(nested, 0, p2wpkh_script_code(second.public_key()), 1'000'000'000)),
              "64f3b0f4dd2bb3aa1ce8566d220cc74dda9df97d8490cc81d89d735c92e59fb6");
}

TEST(Bip173, TestVectors) {
    const std::pair<const char*, const char*> good[] = {
        {"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"},
        {"tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
         "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"},
        {"tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
         "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"}};
    for (const auto& [address, script] : good) {
        const Network network = address[0] == 't' ? Network::kTestnet : Network::kMainnet;
        const auto read = script_of(network, address);
        ASSERT_TRUE(read) << address;
        EXPECT_EQ(to_hex(*read), script);
        std::string lower = address;
        for (char& c : lower) c = static_cast<char>(std::tolower(c));
        EXPECT_EQ(*address_of(network, *read), lower);
        EXPECT_FALSE(script_of(Network::kRegtest, address));
    }
    // Valid in BIP 173 and no longer since BIP 350: later versions have another checksum.
    for (const char* address : {"bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx",
                                "BC1SW50QA3JX3S", "bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj"}) {
        EXPECT_TRUE(bech32_decode(address)) << address;
        EXPECT_FALSE(script_of(Network::kMainnet, address)) << address;
    }
    for (const char* address :
         {"tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
          "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2", "bc1rw5uspcuh",
          "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
          "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
          "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
          "bc1gmk9yu"}) {
        EXPECT_FALSE(script_of(Network::kMainnet, address)) << address;
        EXPECT_FALSE(script_of(Network::kTestnet, address)) << address;
    }
    for (const char* text : {"pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "de1lg7wt\xff", "A1G7SGD8",
                             "10a06t8", "1qzzfhee"}) {
        EXPECT_FALSE(bech32_decode(text)) << text;
    }
}

/// The PSBT of BIP 174 with a P2SH-P2WSH input, one signature and both paths; the BIP's invalid ones of that shape
/// differ from it in one field.
constexpr const char* kPsbt =
    "cHNidP8BAFUCAAAAASeaIyOl37UfxF8iD6WLD8E+HjNCeSqF1+Ns1jM7XLw5AAAAAAD/////AaBa6gsAAAAAGXapFP/"
    "pwAYQl8w7Y28ssEYPpPxCfStF"
    "iKwAAAAAAAEBIJVe6gsAAAAAF6kUY0UgD2jRieGtwN8cTRbqjxTA2+uHIgIDsTQcy6doO2r08SOM1ul+"
    "cWfVafrEfx5I1HVBhENVvUZGMEMCIAQktY7/"
    "qqaU4VWepck7v9SokGQiQFXN8HC2dxRpRC0HAh9cjrD+plFtYLisszrWTt5g6Hhb+zqpS5m9+GFR25qaAQEEIgAgdx/"
    "RitRZZm3Unz1WTj28QvTIR3Tj"
    "YK2haBao7UiNVoEBBUdSIQOxNBzLp2g7avTxI4zW6X5xZ9Vp+sR/HkjUdUGEQ1W9RiED3lXR4drIBeP4pYwfv5uUwC89uq/hJ/"
    "78pJlfJvggg71SriIG"
    "A7E0HMunaDtq9PEjjNbpfnFn1Wn6xH8eSNR1QYRDVb1GELSmumcAAACAAAAAgAQAAIAiBgPeVdHh2sgF4/iljB+/m5TALz26r+En/"
    "vykmV8m+CCDvRC0"
    "prpnAAAAgAAAAIAFAACAAAA=";

TEST(Bip174, AValidOneAndWhatIsInvalidOfIt) {
    const auto psbt = Psbt::from_text(kPsbt);
    ASSERT_TRUE(psbt) << psbt.error().message;
    EXPECT_EQ(psbt->to_text(), kPsbt);
    const Bytes script = *psbt->witness_script(0);
    EXPECT_EQ(to_hex(sha256(script)), "771fd18ad459666dd49f3d564e3dbc42f4c84774e360ada16816a8ed488d5681")
        << "the script is that of the redeem script in it";
    EXPECT_EQ(to_hex(hash160(hex("0020771fd18ad459666dd49f3d564e3dbc42f4c84774e360ada16816a8ed488d5681"))),
              to_hex(psbt->spent(0)->script).substr(4, 40))
        << "and that of the output that is spent";
    PublicKey key{};
    const Bytes raw = hex("03b1341ccba7683b6af4f1238cd6e97e7167d569fac47f1e48d47541844355bd46");
    std::copy(raw.begin(), raw.end(), key.begin());
    const Bytes signature = *psbt->partial_signature(0, key);
    EXPECT_TRUE(verify(key, sighash_all(psbt->unsigned_tx(), 0, script, psbt->spent(0)->sat),
                       ByteView(signature).first(signature.size() - 1)));

    const Bytes good = psbt->encode();
    const auto replaced = [&](const std::string& what, const std::string& by) {
        std::string text = to_hex(good);
        const auto at = text.find(what);
        EXPECT_NE(at, std::string::npos) << what;
        return Psbt::decode(hex(text.replace(at, what.size(), by)));
    };
    EXPECT_FALSE(replaced("ff010055", "ff02000155")) << "invalid global key 0001";
    EXPECT_FALSE(
        replaced("000101"
                 "20955eea0b",
                 "00020100"
                 "20955eea0b"))
        << "invalid input key 0100";
    EXPECT_FALSE(replaced("2202" + to_hex(raw), "2102" + to_hex(raw).substr(0, 64))) << "invalid key of a signature";
    EXPECT_FALSE(replaced("010422", "02040022")) << "invalid input key 0400";
    EXPECT_FALSE(replaced("010547", "02050047")) << "invalid input key 0500";
    EXPECT_FALSE(replaced("2206" + to_hex(raw), "2106" + to_hex(raw).substr(0, 64))) << "invalid key of a path";
}

// Quoted whole: a transaction in place of a PSBT, scripts in its transaction, no transaction, a signature type with key
// data, an output field with key data.
TEST(Bip174, Invalid) {
    for (const char* text :
         {"AgAAAAEmgXE3Ht/yhek3re6ks3t4AAwFZsuzrWRkFxPKQhcb9gAAAABqRzBEAiBwsiRRI+a/"
          "R01gxbUMBD1MaRpdJDXwmjSnZiqdwlF5CgIgATKc"
          "qdrPKAvfMHQOwDkEIkIsgctFg5RXrrdvwS7dlbMBIQJlfRGNM1e44PTCzUbbezn22cONmnCry5st5dyNv+TOMf7///8C09/"
          "1BQAAAAAZdqkU0MWZ"
          "A8W6woaHYOkP1SGkZlqnZSCIrADh9QUAAAAAF6kUNUXm4zuDLEcFDyTT7rk8nAOUi8eHsy4TAA==",
          "cHNidP8BAP0KAQIAAAACqwlJoIxa98SbghL0F+LxWrP1wz3PFTghqBOfh3pbe+"
          "QAAAAAakcwRAIgR1lmF5fAGwNrJZKJSGhiGDR9iYZLcZ4ff89X"
          "0eURZYcCIFMJ6r9Wqk2Ikf/REf3xM286KdqGbX+EhtdVRs7tr5MZASEDXNxh/HupccC1AaZGoqg7ECy0OIEhfKaC3Ibi1z+ogpL+////"
          "qwlJoIxa"
          "98SbghL0F+LxWrP1wz3PFTghqBOfh3pbe+QBAAAAAP7///"
          "8CYDvqCwAAAAAZdqkUdopAu9dAy+gdmI5x3ipNXHE5ax2IrI4kAAAAAAAAGXapFG9G"
          "ILVT+glechue4O/p+gOcykWXiKwAAAAAAAABASAA4fUFAAAAABepFDVF5uM7gyxHBQ8k0+65PJwDlIvHhwEEFgAUhdE1N/"
          "LiZUBaNNuvqePdoB+4"
          "IwgAAAA=",
          "cHNidP8BAHMCAAAAATAa6YblFqHsisW0vGVz0y+DtGXiOtdhZ9aLOOcwtNvbAAAAAAD/////"
          "AnR7AQAAAAAAF6kUA6oXrogrXQ1Usl1jEE5P/s57"
          "nqKHYEOZOwAAAAAXqRS5IbG6b3IuS/"
          "qDtlV6MTmYakLsg4cAAAAAAAEBHwDKmjsAAAAAFgAU0tlLZK4IWH7vyO6xh8YB6Tn5A3wCAwABAAAAAAEA"
          "FgAUYunpgv/"
          "zTdgjlhAxawkM0qO3R8sAAQAiACCHa62DLx0WgBXtQSMqnqZaGBXZ7xPA74dZ9ktbKyeKZQEBJVEhA7fOI6AcW0vwCmQlN836uzFb"
          "ZoMyhnR471EwnSvVf4qHUa4A",
          "cHNidP8BAHMCAAAAATAa6YblFqHsisW0vGVz0y+DtGXiOtdhZ9aLOOcwtNvbAAAAAAD/////"
          "AnR7AQAAAAAAF6kUA6oXrogrXQ1Usl1jEE5P/s57"
          "nqKHYEOZOwAAAAAXqRS5IbG6b3IuS/"
          "qDtlV6MTmYakLsg4cAAAAAAAEBHwDKmjsAAAAAFgAU0tlLZK4IWH7vyO6xh8YB6Tn5A3wAAgAAFgAUYunp"
          "gv/"
          "zTdgjlhAxawkM0qO3R8sAAQAiACCHa62DLx0WgBXtQSMqnqZaGBXZ7xPA74dZ9ktbKyeKZQEBJVEhA7fOI6AcW0vwCmQlN836uzFbZoMyhnR"
          "4"
          "71EwnSvVf4qHUa4A"}) {
        EXPECT_FALSE(Psbt::from_text(text)) << text;
    }
}

}  // namespace
}  // namespace meshnet::bitcoin
