// Which node a request goes to: the one that has the slot of its id, XXH32(id) % 4096, or the one that
// its path names. "" if neither can be said for sure; nginx.conf answers 400 then.

const SLOTS = 4096;

// The last slot of each node, from the first on.
const MAP = [[1365, 'node1'], [2730, 'node2'], [4095, 'node3']];

const WITH_ID = ['/append', '/appendMulti', '/get', '/getMulti', '/scan'];

function rotate(x, bits) {
    return (x << bits) | (x >>> (32 - bits));
}

function word(bytes, at) {
    return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
}

// XXH32 with seed 0 of an array of bytes.
function xxh32(bytes) {
    const P1 = 0x9e3779b1, P2 = 0x85ebca77, P3 = 0xc2b2ae3d, P4 = 0x27d4eb2f, P5 = 0x165667b1;
    const end = bytes.length;
    let at = 0, hash;
    if (end >= 16) {
        const lanes = [(P1 + P2) | 0, P2 | 0, 0, -P1 | 0];
        for (; at + 16 <= end; at += 16) {
            for (let i = 0; i < 4; i++) {
                const sum = (lanes[i] + Math.imul(word(bytes, at + 4 * i), P2)) | 0;
                lanes[i] = Math.imul(rotate(sum, 13), P1);
            }
        }
        hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    } else {
        hash = P5;
    }
    hash = (hash + end) | 0;
    for (; at + 4 <= end; at += 4) {
        hash = Math.imul(rotate((hash + Math.imul(word(bytes, at), P3)) | 0, 17), P4);
    }
    for (; at < end; at++) {
        hash = Math.imul(rotate((hash + Math.imul(bytes[at], P5)) | 0, 11), P1);
    }
    hash = Math.imul(hash ^ hash >>> 15, P2);
    hash = Math.imul(hash ^ hash >>> 13, P3);
    return (hash ^ hash >>> 16) >>> 0;
}

// The bytes of a value, form-urlencoded; null if an escape is bad.
function decode(text) {
    const bytes = [];
    for (let i = 0; i < text.length; i++) {
        let c = text.charCodeAt(i);
        if (c === 0x2b) {
            c = 0x20;
        } else if (c === 0x25) {
            const digits = text.substr(i + 1, 2);
            if (!/^[0-9a-fA-F]{2}$/.test(digits)) {
                return null;
            }
            c = parseInt(digits, 16);
            i += 2;
        } else if (c > 0x7f) {
            return null;
        }
        bytes.push(c);
    }
    return bytes;
}

// The value of the one parameter `id`; null if there is none, or if others would read the query
// otherwise: they may split it at ; and ? too, or decode names.
function find_id(query) {
    if (/[;?]/.test(query)) {
        return null;
    }
    let id = null;
    const parts = query.split('&');
    for (let i = 0; i < parts.length; i++) {
        const equals = parts[i].indexOf('=');
        const name = equals < 0 ? parts[i] : parts[i].slice(0, equals);
        if (name.indexOf('%') >= 0) {
            return null;
        }
        if (name === 'id') {
            if (id !== null || equals < 0) {
                return null;
            }
            id = parts[i].slice(equals + 1);
        }
    }
    return id;
}

function split(r) {
    const target = r.variables.request_uri;
    const question = target.indexOf('?');
    const path = question < 0 ? target : target.slice(0, question);
    return {path: path, query: question < 0 ? '' : target.slice(question + 1)};
}

function node(r) {
    const request = split(r);
    const named = /^\/(node[0-9]+)\//.exec(request.path);
    if (named) {
        return MAP.some(entry => entry[1] === named[1]) ? named[1] : '';
    }
    const id = WITH_ID.indexOf(request.path) >= 0 ? find_id(request.query) : null;
    const bytes = id === null ? null : decode(id);
    if (bytes === null) {
        return '';
    }
    const slot = xxh32(bytes) % SLOTS;
    return MAP.find(entry => slot <= entry[0])[1];
}

// As it was sent, without the name of a node.
function target(r) {
    return r.variables.request_uri.replace(/^\/node[0-9]+\//, '/');
}

export default {node, target};
