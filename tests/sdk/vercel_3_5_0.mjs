// @vercel/sandbox 3.5.0 for JavaScript: the lifecycle, at the door for it.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cwd } from 'node:process'

import { CROWD, CROWD_TOKEN, OTHER_TOKEN, TOKEN, TTL, UNKNOWN_ID, URL, failure, main, sleep, until } from './facts.mjs'

const installed = createRequire(`${cwd()}/`)
const { APIError, Sandbox } = installed('@vercel/sandbox')

// Its own address is fixed; this is the parameter that it has for another.
const viaUs = (url, init) => fetch(String(url).replace('https://vercel.com/api', `${URL}/vercel/api`), init)
const as = (token) => ({ token, teamId: 'team_any', projectId: 'prj_any', fetch: viaUs })
const here = as(TOKEN)
let made_so_far = 0

const create = (given) => Sandbox.create({ timeout: TTL * 1000, ...here, ...given })
const get = (name, given) => Sandbox.get({ name, ...here, ...given })
const aName = (of) => `${of}-${Date.now().toString(36)}-${(made_so_far += 1)}`
const names = async (given) => (await (await Sandbox.list({ ...here, ...given })).toArray()).map((one) => one.name)

// One that runs, known to do so: it is created before it runs.
async function running(given) {
    const { name } = await create(given)
    await until('it runs', async () => (await get(name)).status === 'running')
    return await get(name)
}

// The error that its user gets.
async function refused(call, status, code) {
    const error = await failure(call)
    assert.equal(error.constructor, APIError, String(error))
    assert.equal(error.response.status, status, String(error))
    assert.equal(error.json.error.code, code)
    assert.deepEqual(Object.keys(error.json.error).sort(), ['code', 'message'])
    return error
}

const notFound = (call) => refused(call, 404, 'not_found')

async function it_is_version_3_5_0() {
    const text = readFileSync(`${cwd()}/node_modules/@vercel/sandbox/package.json`, 'utf8')
    assert.equal(JSON.parse(text).version, '3.5.0')
}

async function a_sandbox_is_created_runs_and_is_deleted() {
    const name = aName('vercel')
    const made = await create({ name, tags: { of: 'javascript' } })
    assert.deepEqual([made.name, made.persistent, made.tags], [name, false, { of: 'javascript' }])
    assert.ok(['pending', 'running'].includes(made.status))
    await until('it runs', async () => (await get(name)).status === 'running')
    const found = await get(name)
    assert.equal(found.currentSession().sessionId, made.currentSession().sessionId)
    assert.deepEqual([found.timeout, found.vcpus, found.memory], [TTL * 1000, 1, 1024])
    assert.equal(found.expiresAt - found.createdAt, TTL * 1000)
    assert.deepEqual(found.networkPolicy, 'allow-all')
    await made.delete()
    await notFound(() => get(name))
    await notFound(() => made.delete())
}

async function a_runtime_is_the_default_image() {
    const [one, other] = [await create({ runtime: 'node24' }), await create()]
    assert.equal(one.image, other.image)
    assert.equal((await create({ timeout: undefined })).timeout, 300_000)
    await Promise.all([one.delete(), other.delete()])
}

async function a_timeout_is_extended_and_set() {
    let made = await running({ timeout: 60_000 })
    await made.extendTimeout(30_000)
    assert.equal(made.currentSession().timeout, 90_000)
    for (const timeout of [600_000, 120_000]) {
        await made.update({ timeout })
        made = await get(made.name)
        assert.deepEqual([made.timeout, made.currentSession().timeout], [timeout, timeout])
    }
    await refused(() => made.extendTimeout(86_400_000), 400, 'sandbox_timeout_invalid')
    await made.delete()
}

async function tags_are_replaced() {
    const made = await create({ tags: { a: '1' } })
    await made.update({ tags: { b: '2' } })
    assert.deepEqual([made.tags, (await get(made.name)).tags], [{ b: '2' }, { b: '2' }])
    await made.delete()
}

async function a_stopped_one_is_shown_and_not_resumed() {
    const made = await running()
    assert.equal((await made.stop()).status, 'stopped')
    assert.equal((await made.stop()).status, 'stopped')
    assert.equal((await get(made.name)).status, 'stopped')
    const why = await refused(() => get(made.name, { resume: true }), 410, 'snapshot_not_found')
    assert.match(why.message, /do not keep their disk/)
    await refused(() => made.extendTimeout(30_000), 400, 'bad_request')
    await made.delete()
    await notFound(() => made.delete())
}

async function get_or_create_finds_or_creates() {
    const name = aName('again')
    const first = await Sandbox.getOrCreate({ name, timeout: TTL * 1000, ...here })
    const same = await Sandbox.getOrCreate({ name, resume: true, ...here })
    assert.equal(same.currentSession().sessionId, first.currentSession().sessionId)
    await first.stop()
    const other = await Sandbox.getOrCreate({ name, resume: true, timeout: TTL * 1000, ...here })
    assert.notEqual(other.currentSession().sessionId, first.currentSession().sessionId)
    await other.delete()
}

async function it_has_stopped_when_its_time_is_over() {
    const made = await create({ timeout: 1000 })
    await sleep(1.05)
    assert.equal((await get(made.name)).status, 'stopped')
    await refused(() => made.extendTimeout(30_000), 400, 'bad_request')
    await made.delete()
    await notFound(() => made.delete())
}

async function filters_let_pass_and_exclude() {
    const prefix = aName('list')
    const one = await create({ name: `${prefix}-1`, tags: { env: 'test' } })
    const two = await create({ name: `${prefix}-2`, tags: { env: 'other' } })
    const named = { sortBy: 'name', sortOrder: 'asc', namePrefix: prefix }
    assert.deepEqual(await names(named), [one.name, two.name])
    assert.deepEqual(await names({ ...named, namePrefix: `${prefix}-3` }), [])
    assert.deepEqual(await names({ ...named, tags: { env: 'test' } }), [one.name])
    await refused(() => names({ namePrefix: prefix }), 400, 'bad_request')
    await refused(() => names({ sortBy: 'currentSnapshotId' }), 400, 'bad_request')
    await two.stop()
    const runs = await (await two.listSessions()).toArray()
    assert.deepEqual(runs.map((run) => run.status), ['stopped'])
    await Promise.all([one.delete(), two.delete()])
    assert.deepEqual(await names(named), [])
}

async function all_pages_are_read() {
    for (const given of [{}, { sortBy: 'name' }, { limit: 50, sortOrder: 'asc' }]) {
        const read = await names({ ...as(CROWD_TOKEN), ...given })
        assert.deepEqual([read.length, new Set(read).size], [CROWD, CROWD])
    }
    assert.equal((await Sandbox.list({ ...as(CROWD_TOKEN), limit: 2 })).sandboxes.length, 2)
}

async function an_unknown_name_is_not_found() {
    await notFound(() => get(UNKNOWN_ID))
    await notFound(() => get('nobody', { resume: true }))
}

async function somebody_elses_is_not_found() {
    const made = await create()
    await notFound(() => Sandbox.get({ name: made.name, ...as(OTHER_TOKEN) }))
    assert.equal((await names(as(OTHER_TOKEN))).includes(made.name), false)
    // The very object, in the hands of somebody else.
    let token = TOKEN
    const passedOn = (url, init) => {
        const headers = new Headers(init.headers)
        headers.set('authorization', `Bearer ${token}`)
        return viaUs(url, { ...init, headers })
    }
    const taken = await get(made.name, { fetch: passedOn })
    token = OTHER_TOKEN
    const calls = [
        () => taken.delete(),
        () => taken.stop(),
        () => taken.extendTimeout(30_000),
        () => taken.update({ timeout: 60_000 }),
        () => taken.update({ tags: { a: 'b' } }),
    ]
    for (const call of calls) await notFound(call)
    const found = await get(made.name)
    assert.deepEqual([found.timeout, found.tags, found.status === 'stopped'], [TTL * 1000, {}, false])
    await made.delete()
}

async function a_wrong_token_is_refused() {
    const wrong = as('vercel_nobody')
    await refused(() => Sandbox.create(wrong), 401, 'unauthorized')
    await refused(() => Sandbox.list(wrong), 401, 'unauthorized')
    await refused(() => Sandbox.get({ name: 'any', ...wrong }), 401, 'unauthorized')
}

async function what_cannot_be_is_refused() {
    const made = await create()
    await refused(() => create({ name: made.name }), 400, 'bad_request')
    const why = await refused(() => create({ persistent: true }), 400, 'bad_request')
    assert.match(why.message, /do not keep their disk/)
    await refused(() => made.update({ persistent: true }), 400, 'bad_request')
    await refused(() => made.snapshot(), 400, 'bad_request')
    await refused(() => Sandbox.fork({ sourceSandbox: made.name, ...here }), 400, 'bad_request')
    await refused(() => create({ ports: [3000] }), 400, 'bad_request')
    for (const timeout of [999, 86_400_001]) {
        await refused(() => create({ timeout }), 400, 'sandbox_timeout_invalid')
    }
    await made.delete()
}

await main([
    it_is_version_3_5_0,
    a_sandbox_is_created_runs_and_is_deleted,
    a_runtime_is_the_default_image,
    a_timeout_is_extended_and_set,
    tags_are_replaced,
    a_stopped_one_is_shown_and_not_resumed,
    get_or_create_finds_or_creates,
    it_has_stopped_when_its_time_is_over,
    filters_let_pass_and_exclude,
    all_pages_are_read,
    an_unknown_name_is_not_found,
    somebody_elses_is_not_found,
    a_wrong_token_is_refused,
    what_cannot_be_is_refused,
])
