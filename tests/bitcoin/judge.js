// SPDX-License-Identifier: MIT
// Asks bcoin, an independent implementation of Bitcoin's consensus, about every fact that `bitcoin_facts` prints.
//
//     bitcoin_facts | NODE_BACKEND=js NODE_PATH=.../node_modules node judge.js
'use strict';

const Module = require('module');
const load = Module._load;
Module._load = (name, ...rest) => name === 'leveldown' ? class {} : load(name, ...rest);  // its store on disk is not used here

const assert = require('assert');
const readline = require('readline');
const version = require('bcoin/package.json').version;
const merkle = require('bcrypto/lib/merkle');
const hash160 = require('bcrypto/lib/hash160');
const hash256 = require('bcrypto/lib/hash256');
const Network = require('bcoin/lib/protocol/network');
const TX = require('bcoin/lib/primitives/tx');
const Coin = require('bcoin/lib/primitives/coin');
const Script = require('bcoin/lib/script/script');
const Address = require('bcoin/lib/primitives/address');
const HDPrivateKey = require('bcoin/lib/hd/private');
const Mnemonic = require('bcoin/lib/hd/mnemonic');
const ChainEntry = require('bcoin/lib/blockchain/chainentry');
const Chain = require('bcoin/lib/blockchain/chain');

const counts = {};

const checks = {
  key(f) {
    const key = HDPrivateKey.fromSeed(Buffer.from(f.seed, 'hex')).derivePath(f.path);
    assert.strictEqual(key.xprivkey('main'), f.xprv);
    assert.strictEqual(key.xpubkey('main'), f.xpub);
    assert.strictEqual(Address.fromWitnessPubkeyhash(hash160.digest(key.publicKey)).toString('main'), f.address);  // its regtest prefix is an older one
  },
  words(f, n) {
    const m = Mnemonic.fromPhrase(f.words);
    assert.strictEqual(m.getEntropy().toString('hex'), f.entropy);
    assert.strictEqual(m.toSeed('x' + n).toString('hex'), f.seed);
  },
  spend(f) {
    const tx = TX.fromRaw(Buffer.from(f.tx, 'hex'));
    assert.strictEqual(tx.txid(), f.txid);
    assert.strictEqual(tx.getWeight(), f.weight);
    const coin = new Coin();
    coin.hash = tx.inputs[0].prevout.hash;
    coin.index = tx.inputs[0].prevout.index;
    coin.value = f.sat;
    coin.script = Script.fromRaw(Buffer.from(f.script, 'hex'));
    let valid = true;
    try {
      tx.checkInput(0, coin, Script.flags.STANDARD_VERIFY_FLAGS);
    } catch (e) {
      valid = false;
    }
    assert.strictEqual(valid, f.valid, f.tx);
  },
  target(f) {
    const entry = new ChainEntry();
    entry.bits = f.bits;
    assert.strictEqual(entry.getProof().toString(16, 64), f.work);
    const chain = Object.create(Chain.prototype);
    chain.network = Network.get('main');
    const prev = new ChainEntry();
    prev.bits = f.bits;
    prev.time = f.last;
    const first = new ChainEntry();
    first.time = f.first;
    assert.strictEqual(chain.retarget(prev, first) >>> 0, f.next);
  },
  merkle(f) {
    const [root] = merkle.createRoot(hash256, f.ids.map(x => Buffer.from(x, 'hex')));
    assert.strictEqual(root.toString('hex'), f.root);
  }
};

const rl = readline.createInterface({input: process.stdin});
rl.on('line', (line) => {
  const f = JSON.parse(line);
  counts[f.fact] = counts[f.fact] || 0;
  checks[f.fact](f, counts[f.fact]++);
});
rl.on('close', () => {
  const all = Object.values(counts).reduce((a, b) => a + b, 0);
  console.log(`bcoin ${version} agrees with ${all} facts: ${JSON.stringify(counts)}`);
  assert(all > 350);
});
