// Facts, counted as world.py counts them: a line for each, and how many at the end.

import { env, exit } from 'node:process'

export const URL = env.MODBOX_SDK_URL
export const TOKEN = env.MODBOX_SDK_TOKEN
export const OTHER_TOKEN = env.MODBOX_SDK_OTHER_TOKEN
export const CROWD_TOKEN = env.MODBOX_SDK_CROWD_TOKEN
export const CROWD = Number(env.MODBOX_SDK_CROWD)
export const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'
// Seconds.
export const READY = 30
export const TTL = 600

export const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000))

export async function until(what, holds) {
    const deadline = performance.now() + READY * 1000
    while (!(await holds())) {
        if (performance.now() > deadline) throw new Error(`in ${READY} s it was not so: ${what}`)
        await sleep(0.1)
    }
}

// The error of a call that must fail.
export async function failure(call) {
    try {
        await call()
    } catch (error) {
        return error
    }
    throw new Error('it was not refused')
}

export async function main(facts) {
    let failed = 0
    for (const fact of facts) {
        const began = performance.now()
        let why
        try {
            await fact()
        } catch (error) {
            why = error
            failed += 1
        }
        const took = ((performance.now() - began) / 1000).toFixed(2).padStart(6)
        console.log(`${why ? 'FAILED' : 'ok    '} ${took} s  ${fact.name}`)
        if (why) console.log(why)
    }
    console.log(`${facts.length - failed} passed, ${failed} failed`)
    exit(failed ? 1 : 0)
}
