// Sends metrics with node-statsd and hot-shots, and writes what each call stands for, as penstock's fields name it.
//
//   node send.js HOST PORT EXPECTED      EXPECTED: JSON lines, one for each record, in no order
'use strict';
const fs = require('fs');
const Plain = require('node-statsd');
const Dog = require('hot-shots');

const [host, port, path] = process.argv.slice(2);
const rounds = 40;
const expected = [];
Math.random = () => 0; // every sampled metric is sent, with its rate

function expect(name, type, value, more) {
	expected.push({ name, type, value, ...more });
}

function sendPlain(plain, n) {
	const tags = { tags: { zone: 'a:b', fast: true } };

	plain.increment('hits');
	expect('plain.hits', 'counter', 1);
	plain.decrement('hits', n + 2);
	expect('plain.hits', 'counter', -n - 2);
	plain.increment('seen', 3, 0.25);
	expect('plain.seen', 'counter', 3, { sample_rate: 0.25 });
	plain.timing('answered', 40 + n);
	expect('plain.answered', 'timer', 40 + n);
	plain.gauge('level', n / 8);
	expect('plain.level', 'gauge', n / 8);
	plain.unique('users', `user-${n % 7}`);
	expect('plain.users', 'set', `user-${n % 7}`);
	plain.histogram('size', 1e6 + n, ['zone:a:b', 'fast']);
	expect('plain.size', 'histogram', 1e6 + n, tags);
}

function sendDog(dog, n) {
	const tags = { env: 'test', round: String(n) };
	const given = { round: n };

	dog.increment('hits', n, given);
	expect('dog.hits', 'counter', n, { tags });
	dog.decrement('hits');
	expect('dog.hits', 'counter', -1, { tags: { env: 'test' } });
	dog.gauge('level', -n - 0.5, given);
	// A gauge that begins with a sign is a change, whatever the caller meant: statsd has no other way to write it.
	expect('dog.level', 'gauge', -n - 0.5, { delta: true, tags });
	dog.gaugeDelta('level', n + 1, given);
	expect('dog.level', 'gauge', n + 1, { delta: true, tags });
	dog.timing('answered', n * 1.5, 0.5, given);
	expect('dog.answered', 'timer', n * 1.5, { sample_rate: 0.5, tags });
	dog.distribution('spread', n / 3, given);
	expect('dog.spread', 'distribution', n / 3, { tags });
	dog.set('users', `user ${n}`, given);
	expect('dog.users', 'set', `user ${n}`, { tags });
	dog.event(`round ${n}`, 'two\nlines', {
		date_happened: new Date(1700000000000 + n * 1000), hostname: 'web-1', aggregation_key: 'rounds',
		priority: 'low', source_type_name: 'test', alert_type: 'warning',
	}, given);
	expected.push({
		type: 'event', title: `round ${n}`, text: 'two\nlines', seconds: [1700000000 + n, 1700000000 + n], host: 'web-1',
		aggregation_key: 'rounds', priority: 'low', source_type: 'test', alert_type: 'warning', tags,
	});
	dog.check('ready', n % 4, { date_happened: new Date(1700000000000), hostname: 'web-2', message: `m: ${n}|${n}` }, given);
	expected.push({
		type: 'service_check', name: 'dog.ready', status: n % 4, status_name: ['ok', 'warning', 'critical', 'unknown'][n % 4],
		seconds: [1700000000, 1700000000], host: 'web-2', message: `m: ${n}|${n}`, tags,
	});
}

async function main() {
	const plain = new Plain({ host, port: Number(port), prefix: 'plain.' });
	// Several metrics in a datagram, as it does under load.
	const dog = new Dog({ host, port: Number(port), prefix: 'dog.', globalTags: { env: 'test' }, maxBufferSize: 1200 });

	for (let n = 0; n < rounds; n++) {
		sendPlain(plain, n);
		sendDog(dog, n);
		await new Promise((go) => setTimeout(go, 5));
	}
	await new Promise((done) => dog.close(done));
	plain.close();
	fs.writeFileSync(path, expected.map((e) => JSON.stringify(e) + '\n').join(''));
}

main();
