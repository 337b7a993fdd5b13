// @daytonaio/sdk 0.218.0 for JavaScript: the lifecycle, at the door for it.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cwd } from 'node:process'

import { CROWD, CROWD_TOKEN, OTHER_TOKEN, READY, TOKEN, UNKNOWN_ID, URL, failure, main, sleep, until } from './facts.mjs'

const installed = createRequire(`${cwd()}/`)
const sdk = installed('@daytonaio/sdk')
const { Daytona, DaytonaAuthenticationError, DaytonaConflictError, DaytonaNotFoundError, DaytonaValidationError } = sdk

const apiUrl = `${URL}/daytona`
const as = (apiKey) => new Daytona({ apiUrl, apiKey })
const daytona = as(TOKEN)
const noDisk = /do not keep their disk/

const create = (given) => daytona.create({ ttlMinutes: 10, ...given }, { timeout: READY })
const aName = (of) => `${of}-${Math.random().toString(16).slice(2, 10)}`

async function ids(of, query) {
    const read = []
    for await (const one of of.list(query)) read.push(one.id)
    return read
}

// The error that its user gets: of exactly this class.
async function refused(call, kind, status, message) {
    const error = await failure(call)
    assert.equal(error.constructor, kind, String(error))
    assert.equal(error.statusCode, status)
    assert.match(error.message, message)
}

const notFound = (call) => refused(call, DaytonaNotFoundError, 404, /Sandbox not found/)

// Waits until it is not found; until then it reads as being destroyed.
async function gone(id) {
    await until('it is gone', async () => {
        try {
            assert.equal((await daytona.get(id)).state, 'destroying')
            return false
        } catch (error) {
            if (error instanceof DaytonaNotFoundError) return true
            throw error
        }
    })
}

async function it_is_version_0_218_0() {
    const text = readFileSync(`${cwd()}/node_modules/@daytonaio/sdk/package.json`, 'utf8')
    assert.equal(JSON.parse(text).version, '0.218.0')
}

async function a_sandbox_is_created_found_and_deleted() {
    const name = aName('one')
    const made = await create({ name, labels: { project: 'my-app' }, envVars: { A: '1' } })
    assert.deepEqual([made.state, made.desiredState, made.name], ['started', 'started', name])
    assert.deepEqual(made.labels, { project: 'my-app', 'code-toolbox-language': 'python' })
    assert.deepEqual([made.env, made.public, made.autoDeleteInterval], [{}, false, 0])
    assert.deepEqual([made.cpu, made.gpu, made.memory, made.disk], [1, 0, 1, 20])
    for (const key of [made.id, name]) assert.equal((await daytona.get(key)).id, made.id)
    await made.delete()
    assert.deepEqual([made.state, made.desiredState], ['destroying', 'destroyed'])
    await gone(made.id)
    for (const call of ['delete', 'refreshData', 'refreshActivity', 'stop']) await notFound(() => made[call]())
    await notFound(() => daytona.get(name))
}

async function a_second_delete_is_a_conflict_until_it_is_gone() {
    const made = await create()
    await made.delete()
    const error = await failure(() => made.delete())
    // It may be gone by now.
    const message = { [DaytonaConflictError.name]: /state change in progress/, [DaytonaNotFoundError.name]: /not found/ }
    assert.match(error.message, message[error.constructor.name])
}

async function what_is_stopped_is_deleted() {
    const made = await create({ ephemeral: true })
    await made.stop()
    assert.equal(made.state, 'destroyed')
    await notFound(() => daytona.get(made.id))
}

async function a_name_is_taken_while_it_lives_and_free_at_once() {
    const name = aName('again')
    const made = await create({ name })
    await refused(() => create({ name }), DaytonaConflictError, 409, /already exists/)
    await made.delete()
    const again = await create({ name })
    assert.notEqual(again.id, made.id)
    await again.delete()
}

async function a_time_to_live_counts_from_when_it_is_set() {
    const made = await create()
    const before = made.autoDestroyAt
    await made.setTtl(60)
    await made.refreshData()
    assert.notEqual(made.autoDestroyAt, before)
    await made.setTtl(0)
    await made.refreshData()
    assert.equal(made.autoDestroyAt, undefined)
    await refused(() => made.setTtl(1441), DaytonaValidationError, 400, /0 to 1440/)
    await made.delete()
}

async function it_is_gone_when_its_time_is_over() {
    const made = await create()
    // No time of this SDK's is so short; the sandbox is the same at every door.
    const headers = { authorization: `Bearer ${TOKEN}` }
    const body = JSON.stringify({ timeout_seconds: 1 })
    await fetch(`${URL}/hopx/v1/sandboxes/${made.id}/timeout`, { method: 'PUT', headers, body })
    await sleep(1.05)
    assert.equal((await ids(daytona)).includes(made.id), false)
    await gone(made.id)
    await notFound(() => made.setTtl(5))
    await notFound(() => made.delete())
}

async function intervals_can_be_0_alone() {
    const made = await create({ autoStopInterval: 0 })
    for (const set of ['setAutostopInterval', 'setAutoPauseInterval', 'setAutoArchiveInterval', 'setAutoDeleteInterval']) {
        await made[set](0)
        await refused(() => made[set](15), DaytonaValidationError, 400, noDisk)
    }
    await made.delete()
}

async function labels_are_replaced() {
    const made = await create({ labels: { a: '1' } })
    assert.deepEqual(await made.setLabels({ b: '2' }), { b: '2' })
    await made.refreshData()
    assert.deepEqual(made.labels, { b: '2' })
    await made.refreshActivity()
    await made.delete()
}

async function filters_let_pass_and_exclude() {
    const name = aName('listed')
    const made = await create({ name, labels: { who: name } })
    const passing = [
        undefined,
        { states: ['started'] },
        { states: ['stopped', 'started'] },
        { labels: { who: name } },
        { name: name.toUpperCase() },
        { targets: [made.target] },
    ]
    const excluding = [
        { states: ['stopped'] },
        { states: ['creating', 'destroyed'] },
        { labels: { who: 'else' } },
        { name: 'listen' },
        { targets: ['elsewhere'] },
    ]
    for (const query of passing) assert.ok((await ids(daytona, query)).includes(made.id), JSON.stringify(query))
    for (const query of excluding) assert.ok(!(await ids(daytona, query)).includes(made.id), JSON.stringify(query))
    await made.delete()
    assert.ok(!(await ids(daytona)).includes(made.id))
    await refused(() => ids(daytona, { limit: 201 }), DaytonaValidationError, 400, /limit/)
}

async function all_pages_are_read() {
    for (const query of [undefined, { limit: 40 }]) {
        const read = await ids(as(CROWD_TOKEN), query)
        assert.deepEqual([read.length, new Set(read).size], [CROWD, CROWD])
    }
}

async function an_unknown_id_or_name_is_not_found() {
    for (const key of [UNKNOWN_ID, 'sandbox123', 'no such name']) await notFound(() => daytona.get(key))
}

async function somebody_elses_is_not_found() {
    const name = aName('hers')
    const made = await create({ name })
    const other = as(OTHER_TOKEN)
    for (const key of [made.id, name]) await notFound(() => other.get(key))
    assert.ok(!(await ids(other)).includes(made.id))
    // The very object, in the hands of somebody else.
    const taken = await daytona.get(made.id)
    taken.sandboxApi = other.sandboxApi
    for (const call of ['delete', 'stop', 'refreshData', 'refreshActivity']) await notFound(() => taken[call]())
    await notFound(() => taken.setTtl(1))
    await notFound(() => taken.setLabels({ a: 'b' }))
    const before = [made.labels, made.autoDestroyAt]
    await made.refreshData()
    assert.deepEqual([made.state, made.labels, made.autoDestroyAt], ['started', ...before])
    await made.delete()
}

async function a_wrong_key_is_refused() {
    const wrong = as('dtn_nobody')
    for (const call of [() => wrong.create(), () => wrong.get(UNKNOWN_ID), () => ids(wrong)]) {
        await refused(call, DaytonaAuthenticationError, 401, /token/)
    }
}

async function what_needs_a_kept_disk_is_refused_with_the_reason() {
    const made = await create()
    for (const call of ['start', 'pause', 'archive', 'recover', 'fork']) {
        await refused(() => made[call](), DaytonaValidationError, 400, noDisk)
    }
    await made.refreshData()
    assert.equal(made.state, 'started')
    await made.delete()
}

async function what_cannot_be_is_refused() {
    for (const given of [{ ttlMinutes: 1441 }, { public: true }, { networkBlockAll: true }, { autoStopInterval: 5 }]) {
        await refused(() => create(given), DaytonaValidationError, 400, new RegExp(Object.keys(given)[0]))
    }
}

await main([
    it_is_version_0_218_0,
    a_sandbox_is_created_found_and_deleted,
    a_second_delete_is_a_conflict_until_it_is_gone,
    what_is_stopped_is_deleted,
    a_name_is_taken_while_it_lives_and_free_at_once,
    a_time_to_live_counts_from_when_it_is_set,
    it_is_gone_when_its_time_is_over,
    intervals_can_be_0_alone,
    labels_are_replaced,
    filters_let_pass_and_exclude,
    all_pages_are_read,
    an_unknown_id_or_name_is_not_found,
    somebody_elses_is_not_found,
    a_wrong_key_is_refused,
    what_needs_a_kept_disk_is_refused_with_the_reason,
    what_cannot_be_is_refused,
])
