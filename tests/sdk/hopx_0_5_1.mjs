// @hopx-ai/sdk 0.5.1 for JavaScript: the lifecycle, at the door for it.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cwd } from 'node:process'

import { CROWD, CROWD_TOKEN, OTHER_TOKEN, TOKEN, TTL, UNKNOWN_ID, URL, failure, main, sleep, until } from './facts.mjs'

const installed = createRequire(`${cwd()}/`)
const { APIError, AuthenticationError, Sandbox } = installed('@hopx-ai/sdk')

const baseURL = `${URL}/hopx`
const here = { baseURL, apiKey: TOKEN }
const template = 'code-interpreter'

const create = (given) => Sandbox.create({ template, timeoutSeconds: TTL, ...here, ...given })
const at = (id, apiKey = TOKEN) => new Sandbox(id, apiKey, baseURL)
const ids = (sandboxes) => sandboxes.map((one) => one.sandboxId)

// The error that its user gets. The documented flat body has no message, which this SDK wants to tell one 404 from others.
async function refused(call, kind, status) {
    const error = await failure(call)
    assert.equal(error.constructor, kind, String(error))
    assert.equal(error.statusCode, status)
    return error
}

async function notFound(call) {
    const error = await refused(call, APIError, 404)
    assert.equal(error.code, 'RESOURCE_NOT_FOUND')
}

async function it_is_version_0_5_1() {
    const text = readFileSync(`${cwd()}/node_modules/@hopx-ai/sdk/package.json`, 'utf8')
    assert.equal(JSON.parse(text).version, '0.5.1')
}

async function health_answers_anybody() {
    assert.deepEqual(await Sandbox.healthCheck(baseURL), { status: 'ok' })
}

async function a_sandbox_is_created_runs_and_is_killed() {
    const made = await create()
    const info = await made.getInfo()
    assert.equal(info.templateName, template)
    assert.equal(info.timeoutSeconds, TTL)
    await until('it runs', async () => (await made.getInfo()).status === 'running')
    const found = await Sandbox.connect(made.sandboxId, TOKEN, baseURL)
    assert.equal(await found.getToken(), await made.getToken())
    await made.kill()
    await notFound(() => made.getInfo())
    await notFound(() => made.kill())
}

async function a_timeout_counts_from_when_it_is_set() {
    const made = await create({ timeoutSeconds: 60 })
    await made.setTimeout(3600)
    assert.equal((await made.getInfo()).timeoutSeconds, 3600)
    await refused(() => made.setTimeout(86401), APIError, 400)
    await made.kill()
}

async function it_is_gone_when_its_time_is_over() {
    const made = await create({ timeoutSeconds: 1 })
    await sleep(1.05)
    await notFound(() => made.getInfo())
    await notFound(() => made.setTimeout(60))
    await notFound(() => made.kill())
}

async function filters_let_pass_and_exclude() {
    const made = await create()
    await until('it runs', async () => (await made.getInfo()).status === 'running')
    const listed = async (filters) => ids(await Sandbox.list({ ...here, ...filters })).includes(made.sandboxId)
    const { region } = await made.getInfo()
    for (const filters of [{}, { status: 'running' }, { region }]) assert.equal(await listed(filters), true)
    for (const filters of [{ status: 'creating' }, { status: 'paused' }, { region: 'elsewhere' }]) {
        assert.equal(await listed(filters), false)
    }
    await made.kill()
    assert.equal(await listed({}), false)
}

async function an_iterator_reads_all_pages() {
    const read = []
    for await (const one of Sandbox.iter({ baseURL, apiKey: CROWD_TOKEN })) read.push(one.sandboxId)
    assert.equal(read.length, CROWD)
    assert.equal(new Set(read).size, CROWD)
}

async function templates_are_told() {
    const templates = await Sandbox.listTemplates(here)
    assert.deepEqual(templates.map((one) => one.name), [template])
    assert.equal((await Sandbox.getTemplate(template, here)).name, template)
}

async function an_unknown_id_is_not_found() {
    const unknown = at(UNKNOWN_ID)
    for (const call of ['getInfo', 'kill', 'pause', 'resume', 'refreshToken']) await notFound(() => unknown[call]())
    await notFound(() => Sandbox.connect(UNKNOWN_ID, TOKEN, baseURL))
}

async function somebody_elses_is_not_found() {
    const made = await create()
    const foreign = at(made.sandboxId, OTHER_TOKEN)
    for (const call of ['getInfo', 'kill', 'pause']) await notFound(() => foreign[call]())
    await made.getInfo()
    await made.kill()
}

async function a_wrong_key_is_refused() {
    const wrong = { baseURL, apiKey: 'hopx_live_nobody.secret' }
    await refused(() => Sandbox.create({ template, ...wrong }), AuthenticationError, 401)
    await refused(() => Sandbox.list(wrong), AuthenticationError, 401)
    await refused(() => at(UNKNOWN_ID, wrong.apiKey).kill(), AuthenticationError, 401)
}

async function what_cannot_be_is_refused() {
    await refused(() => create({ internetAccess: false }), APIError, 400)
    await refused(() => create({ timeoutSeconds: 86401 }), APIError, 400)
    const made = await create()
    await refused(() => made.pause(), APIError, 400)
    await refused(() => made.resume(), APIError, 400)
    await made.kill()
}

await main([
    it_is_version_0_5_1,
    health_answers_anybody,
    a_sandbox_is_created_runs_and_is_killed,
    a_timeout_counts_from_when_it_is_set,
    it_is_gone_when_its_time_is_over,
    filters_let_pass_and_exclude,
    an_iterator_reads_all_pages,
    templates_are_told,
    an_unknown_id_is_not_found,
    somebody_elses_is_not_found,
    a_wrong_key_is_refused,
    what_cannot_be_is_refused,
])
