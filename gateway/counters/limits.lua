-- Everything the limiter asks of Redis. Each request is atomic and uses the store's clock.
--
-- ARGV: the epoch the caller knows, the request, its parameters. All keys begin with "pl:". Each counter has a
-- sorted set of charges by time, each with the running total up to and including it, so the use of a window is
-- one subtraction; what is held for calls that wait for a person is in a set of its own. Amounts are pairs of
-- units and millionths, which a single Lua number could not hold. Units of a total wrap at 2^50, which is more
-- than any window holds.

local MOD, MILLION = 1125899906842624, 1000000
local LONGEST, LIFE, KNOWN = 604800000, 691200000, 3600000
local GRACE = 10000
-- The most that two workers' wall clocks may differ, ms, and the drift allowed between two clocks: one part in so many.
local APART, DRIFT = 5000, 5000
local KEPT, MERGE_EVERY, SLICES, LIVE_KEYS = 10000, 1000, 1000, 10000
-- Giving back rewrites every later total while all others wait: with more of them than this it stays charged.
local MOST_AFTER = 1000

local function clock()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local meta = redis.call('HMGET', 'pl:meta', 'epoch', 'base', 'high', 'doubt', 'turn', 'run', 'careless')
local base, high = tonumber(meta[2] or 0), tonumber(meta[3] or 0)
local doubt, turn = tonumber(meta[4] or nil), tonumber(meta[5] or 0)
local now = clock() + base
if now < high then
    -- The clock was put back. Time goes on from where it was.
    base = base + high - now
    now = high
    redis.call('HSET', 'pl:meta', 'base', string.format('%.0f', base))
end

local function whole(number)
    return string.format('%.0f', number)
end

-- Amounts

local function pair(units, micros)
    return {units, micros}
end

local function plus(a, b)
    local micros = a[2] + b[2]
    local carry = math.floor(micros / MILLION)
    return pair(a[1] + b[1] + carry, micros - carry * MILLION)
end

local function minus(a, b)
    return plus(a, pair(-b[1], -b[2]))
end

local function more(a, b)
    return a[1] > b[1] or (a[1] == b[1] and a[2] > b[2])
end

local function is_zero(a)
    return a[1] == 0 and a[2] == 0
end

-- The difference of two totals, whose units wrap.
local function since(total, earlier)
    local difference = minus(total, earlier)
    return pair(difference[1] % MOD, difference[2])
end

local function wrapped(total)
    return pair(total[1] % MOD, total[2])
end

-- Charges: members "serial:units:micros", the serial of fixed width so that it orders those of one moment

local function charges_of(counter)
    return 'pl:c:' .. counter
end

local function holds_of(counter)
    return 'pl:h:' .. counter
end

local function read_charge(member)
    local serial, units, micros = string.match(member, '^(%d+):(%d+):(%d+)$')
    return tonumber(serial), pair(tonumber(units), tonumber(micros))
end

local function charge_text(serial, total)
    return string.format('%015.0f:%.0f:%.0f', serial, total[1], total[2])
end

local function newest(counter)
    local found = redis.call('ZREVRANGE', charges_of(counter), 0, 0, 'WITHSCORES')
    if not found[1] then
        return 0, pair(0, 0), 0
    end
    local serial, total = read_charge(found[1])
    return serial, total, tonumber(found[2])
end

-- The running total up to and including that time.
local function total_until(counter, at)
    local found = redis.call('ZREVRANGEBYSCORE', charges_of(counter), whole(at), '-inf', 'LIMIT', 0, 1)
    if not found[1] then
        return pair(0, 0)
    end
    local _, total = read_charge(found[1])
    return total
end

local function counted(counter, window)
    local _, total = newest(counter)
    return since(total, total_until(counter, now - window))
end

-- What is held: members "decision:units:micros", by the end of their time limits

local function held(counter, after)
    local sum = pair(0, 0)
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', holds_of(counter), '(' .. whole(after), '+inf')) do
        local units, micros = string.match(member, ':(%d+):(%d+)$')
        sum = plus(sum, pair(tonumber(units), tonumber(micros)))
    end
    return sum
end

-- Ends of time limits, rising, and how much has ended with each.
local function holds_by_end(counter)
    local ends, sums, sum = {}, {}, pair(0, 0)
    local rows = redis.call('ZRANGEBYSCORE', holds_of(counter), '(' .. whole(now), '+inf', 'WITHSCORES')
    for place = 1, #rows, 2 do
        local units, micros = string.match(rows[place], ':(%d+):(%d+)$')
        sum = plus(sum, pair(tonumber(units), tonumber(micros)))
        ends[#ends + 1], sums[#sums + 1] = tonumber(rows[place + 1]), sum
    end
    return ends, sums
end

local function ended_by(ends, sums, at)
    local first, last = 0, #ends
    while first < last do
        local middle = math.floor((first + last + 1) / 2)
        if ends[middle] <= at then
            first = middle
        else
            last = middle - 1
        end
    end
    return sums[first] or pair(0, 0)
end

-- Keys of a family, by when each was charged last

local function keys_of(family)
    return 'pl:f:' .. family
end

local function live_until_charged(family, counter, at)
    if family ~= '' then
        redis.call('ZADD', keys_of(family), whole(at), counter)
        redis.call('ZREMRANGEBYSCORE', keys_of(family), '-inf', whole(now - LONGEST))
        redis.call('PEXPIRE', keys_of(family), whole(LIFE + math.max(at - now, 0)))
    end
end

local function live_on(family, counter)
    if family == '' then
        return
    end
    local _, _, last = newest(counter)
    local ends = redis.call('ZREVRANGE', holds_of(counter), 0, 0, 'WITHSCORES')
    if ends[2] then
        last = math.max(last, tonumber(ends[2]) + GRACE)
    end
    live_until_charged(family, counter, last)
end

-- The first time, from `at` on, at which the key is live or there is room for another live key.
local function key_free_from(asked, window, at)
    if asked.family == '' then
        return at
    end
    local last = redis.call('ZSCORE', keys_of(asked.family), asked.counter)
    if last and tonumber(last) + window > at then
        return at
    end
    local oldest = redis.call(
        'ZREVRANGE', keys_of(asked.family), LIVE_KEYS - 1, LIVE_KEYS - 1, 'WITHSCORES')[2]
    if not oldest or tonumber(oldest) <= at - window then
        return at
    end
    return tonumber(oldest) + window
end

local function in_doubt(window)
    return doubt and now < doubt + window
end

-- Changes

local crowded = {}

local function changed()
    turn = turn + 1
    redis.call('HSET', 'pl:meta', 'turn', whole(turn), 'high', whole(now))
end

local function note(decision, counter, family, at, serial, cost)
    local entry = table.concat({counter, family, whole(at), whole(serial), whole(cost[1]), whole(cost[2])}, ' ')
    redis.call('RPUSH', 'pl:r:' .. decision, entry)
    redis.call('PEXPIRE', 'pl:r:' .. decision, KNOWN)
end

local function charge(decision, counter, family, cost)
    local serial, total = newest(counter)
    local key = charges_of(counter)
    redis.call('ZADD', key, whole(now), charge_text(serial + 1, wrapped(plus(total, cost))))
    redis.call('PEXPIRE', key, LIFE)
    note(decision, counter, family, now, serial + 1, cost)
    if family ~= '' then
        local last = tonumber(redis.call('ZSCORE', keys_of(family), counter) or 0)
        live_until_charged(family, counter, math.max(last, now))
    end
    local many = redis.call('ZCARD', key)
    if many >= KEPT + MERGE_EVERY and many >= tonumber(redis.call('GET', 'pl:m:' .. counter) or 0) then
        crowded[#crowded + 1] = counter
    end
end

local function hold(decision, counter, family, cost, milliseconds)
    local key, known = holds_of(counter), 'pl:d:' .. decision
    local member = table.concat({decision, whole(cost[1]), whole(cost[2])}, ':')
    redis.call('ZADD', key, whole(now + milliseconds), member)
    redis.call('RPUSH', known, table.concat({counter, family, whole(cost[1]), whole(cost[2])}, ' '))
    redis.call('PEXPIRE', known, whole(milliseconds + GRACE + KNOWN))
    redis.call('PEXPIRE', key, whole(milliseconds + LIFE))
    live_on(family, counter)
end

-- All that a decision holds, each as: counter, family ('' if it has no key), amount, end or nil.
local function each_hold(decision)
    local found = {}
    for _, entry in ipairs(redis.call('LRANGE', 'pl:d:' .. decision, 0, -1)) do
        local counter, family, units, micros = string.match(entry, '^(%S+) (%S*) (%d+) (%d+)$')
        local member = table.concat({decision, units, micros}, ':')
        local ends = redis.call('ZSCORE', holds_of(counter), member)
        found[#found + 1] = {
            counter = counter, family = family, member = member,
            cost = pair(tonumber(units), tonumber(micros)), ends = tonumber(ends or nil),
        }
    end
    return found
end

local function is_held(one)
    return one.ends and one.ends > now - GRACE
end

local function release(decision)
    for _, one in ipairs(each_hold(decision)) do
        redis.call('ZREM', holds_of(one.counter), one.member)
        live_on(one.family, one.counter)
    end
    redis.call('DEL', 'pl:d:' .. decision)
end

local function in_pieces(command, key, parts)
    for first = 1, #parts, 500 do
        redis.call(command, key, unpack(parts, first, math.min(first + 499, #parts)))
    end
end

local function take_out(counter, family, at, serial, cost)
    local key = charges_of(counter)
    if redis.call('ZCOUNT', key, whole(at), '+inf') > MOST_AFTER then
        return
    end
    local before, away, back = pair(0, 0), {}, {}
    local rows = redis.call('ZRANGEBYSCORE', key, whole(at), '+inf', 'WITHSCORES')
    local earlier = redis.call('ZREVRANGEBYSCORE', key, '(' .. whole(at), '-inf', 'LIMIT', 0, 1)
    if earlier[1] then
        local _, total = read_charge(earlier[1])
        before = total
    end
    for place = 1, #rows, 2 do
        local row_serial, total = read_charge(rows[place])
        local row_at = tonumber(rows[place + 1])
        if row_at > at or row_serial >= serial then
            local left = wrapped(since(total, cost))
            away[#away + 1] = rows[place]
            -- One that others were merged into stays: they count for as long as it would have.
            local only_this = row_at == at and row_serial == serial and left[1] == before[1] and left[2] == before[2]
            if not only_this then
                back[#back + 1] = rows[place + 1]
                back[#back + 1] = charge_text(row_serial, left)
            end
        else
            before = total
        end
    end
    in_pieces('ZREM', key, away)
    in_pieces('ZADD', key, back)
    -- Where nothing stood there for a moment, what was put back is another key's, and would never end.
    redis.call('PEXPIRE', key, LIFE)
    live_on(family, counter)
end

-- Requests

local requests = {}

local function is_known(decision)
    if redis.call('EXISTS', 'pl:r:' .. decision) > 0 then
        return true
    end
    for _, one in ipairs(each_hold(decision)) do
        if is_held(one) then
            return true
        end
    end
    return false
end

-- decision, milliseconds to hold or '', how many counters, each: id, family or '', units, micros;
-- then limits, each: number of its counter, window, max units
function requests.reserve(arguments)
    local decision, milliseconds, many = arguments[1], tonumber(arguments[2]), tonumber(arguments[3])
    if is_known(decision) then
        return {'reserved'}
    end
    local counters, limits, next_one = {}, {}, 4
    for number = 1, many do
        counters[number] = {
            counter = arguments[next_one], family = arguments[next_one + 1],
            cost = pair(tonumber(arguments[next_one + 2]), tonumber(arguments[next_one + 3])),
        }
        next_one = next_one + 4
    end
    while arguments[next_one] do
        limits[#limits + 1] = {
            asked = counters[tonumber(arguments[next_one])], window = tonumber(arguments[next_one + 1]),
            max = pair(tonumber(arguments[next_one + 2]), 0),
        }
        next_one = next_one + 3
    end
    for _, limit in ipairs(limits) do
        if not is_zero(limit.asked.cost) and in_doubt(limit.window) then
            return {'unavailable'}
        end
    end
    for number, limit in ipairs(limits) do
        local asked = limit.asked
        if not is_zero(asked.cost) then
            local used = plus(counted(asked.counter, limit.window), held(asked.counter, now - GRACE))
            if more(plus(used, asked.cost), limit.max) or key_free_from(asked, limit.window, now) > now then
                local left = minus(limit.max, used)
                -- Nothing is left where it is only the key that has no place.
                if left[1] < 0 or not more(asked.cost, left) then
                    left = pair(0, 0)
                end
                return {'full', number - 1, requests.retry_after(limits), left[1], left[2]}
            end
        end
    end
    for _, asked in ipairs(counters) do
        if not is_zero(asked.cost) then
            if milliseconds then
                hold(decision, asked.counter, asked.family, asked.cost, milliseconds)
            else
                charge(decision, asked.counter, asked.family, asked.cost)
            end
        end
    end
    changed()
    return {'reserved'}
end

-- The time from which this limit by itself would have room; nil if never.
local function room_from(limit)
    local asked, window = limit.asked, limit.window
    if more(asked.cost, limit.max) then
        return nil
    end
    local _, total = newest(asked.counter)
    local gone = total_until(asked.counter, now - window)
    local inside = since(total, gone)
    local ends, sums = holds_by_end(asked.counter)
    local over = minus(plus(plus(inside, sums[#sums] or pair(0, 0)), asked.cost), limit.max)
    if is_zero(asked.cost) or not more(over, pair(0, 0)) then
        return now
    end
    local function has_left(at)
        local left = since(total_until(asked.counter, math.min(at, now + window) - window), gone)
        return not more(over, plus(left, ended_by(ends, sums, at)))
    end
    -- Both only grow: the first moment with enough is found without looking at all there are.
    local first, last = now, math.max(now + window, ends[#ends] or 0)
    while first < last do
        local middle = math.floor((first + last) / 2)
        if has_left(middle) then
            last = middle
        else
            first = middle + 1
        end
    end
    return first
end

local function whole_seconds(until_then)
    return math.max(1, math.ceil((until_then - now) / 1000))
end

function requests.retry_after(limits)
    local until_then = now
    for _, limit in ipairs(limits) do
        local free = room_from(limit)
        if not free then
            return -1
        end
        until_then = math.max(until_then, free)
    end
    local seconds = whole_seconds(until_then)
    -- By then a key of this call may have died and need a place among the live ones again.
    local later = now + 1000 * seconds
    local at = later
    for _, limit in ipairs(limits) do
        if not is_zero(limit.asked.cost) then
            at = math.max(at, key_free_from(limit.asked, limit.window, later))
        end
    end
    return whole_seconds(at)
end

function requests.settle(arguments)
    local decision, answer = arguments[1], {'not_held'}
    local holds = each_hold(decision)
    release(decision)
    for _, one in ipairs(holds) do
        if is_held(one) then
            charge(decision, one.counter, one.family, one.cost)
            answer = {'reserved'}
        end
    end
    changed()
    return answer
end

function requests.extend(arguments)
    local decision, milliseconds = arguments[1], tonumber(arguments[2])
    for _, one in ipairs(each_hold(decision)) do
        if is_held(one) then
            redis.call('ZADD', holds_of(one.counter), whole(now + milliseconds), one.member)
            redis.call('PEXPIRE', holds_of(one.counter), whole(milliseconds + LIFE))
            redis.call('PEXPIRE', 'pl:d:' .. decision, whole(milliseconds + GRACE + KNOWN))
            live_on(one.family, one.counter)
        end
    end
    changed()
    return {'done'}
end

function requests.release(arguments)
    release(arguments[1])
    changed()
    return {'done'}
end

function requests.give_back(arguments)
    local decision = arguments[1]
    release(decision)
    for _, entry in ipairs(redis.call('LRANGE', 'pl:r:' .. decision, 0, -1)) do
        local counter, family, at, serial, units, micros =
            string.match(entry, '^(%S+) (%S*) (%d+) (%d+) (%d+) (%d+)$')
        take_out(counter, family, tonumber(at), tonumber(serial), pair(tonumber(units), tonumber(micros)))
    end
    redis.call('DEL', 'pl:r:' .. decision)
    changed()
    return {'done'}
end

function requests.spend(arguments)
    local ticket, milliseconds = arguments[1], tonumber(arguments[2])
    if in_doubt(milliseconds) then
        return {'spent'}
    end
    local made = redis.call('SET', 'pl:t:' .. ticket, '1', 'NX', 'PX', whole(milliseconds))
    changed()
    return {made and 'new' or 'spent'}
end

-- Keeps the newest charges singly and merges older ones into slices of at most a thousandth of their age.
function requests.merge(arguments)
    local counter = arguments[1]
    local key = charges_of(counter)
    local rows = redis.call('ZRANGE', key, 0, -KEPT - 1, 'WITHSCORES')
    local away, youngest, base_found = {}, nil, false
    for place = #rows - 1, 1, -2 do
        local at = tonumber(rows[place + 1])
        if at + LONGEST <= now then
            -- The newest of what no window counts stays: its total is what the others are counted from.
            if base_found then
                away[#away + 1] = rows[place]
            end
            base_found = true
        elseif youngest and (youngest - at) * SLICES <= now - youngest then
            away[#away + 1] = rows[place]
        else
            youngest = at
        end
    end
    in_pieces('ZREM', key, away)
    redis.call('SET', 'pl:m:' .. counter, whole(redis.call('ZCARD', key) + MERGE_EVERY), 'PX', LIFE)
    return {'done'}
end

local function in_doubt_from_now_on()
    doubt = now
    redis.call('HSET', 'pl:meta', 'doubt', whole(now))
    redis.call('HDEL', 'pl:meta', 'born')
end

-- Notes the caller's wall clock, for whoever comes after a time in which nobody watched the store's clock.
function requests.note(arguments)
    redis.call('HSET', 'pl:meta', 'noted', whole(now), 'wall', arguments[1])
    return {'done'}
end

local function ran_ahead_of(wall)
    local noted = redis.call('HMGET', 'pl:meta', 'noted', 'wall')
    if not wall or not noted[1] then
        return false
    end
    local passed = now - tonumber(noted[1])
    return passed - (wall - tonumber(noted[2])) > APART + passed / DRIFT
end

-- A store without an epoch gets this one and is in doubt from now on. Epoch, the server's run id, the caller's
-- wall clock unless it knows better about the store's, and '1' if the server was a replica before.
function requests.begin(arguments)
    if not meta[1] then
        redis.call('HSET', 'pl:meta', 'epoch', arguments[1], 'doubt', whole(now), 'born', whole(now), 'high', whole(now))
        meta[1], doubt = arguments[1], now
    end
    if meta[6] and meta[6] ~= arguments[2] and (meta[7] or arguments[4] == '1') then
        -- The server that was here before might have forgotten what it answered for, or this one never heard it.
        in_doubt_from_now_on()
    elseif ran_ahead_of(tonumber(arguments[3])) then
        in_doubt_from_now_on()
    end
    redis.call('HSET', 'pl:meta', 'run', arguments[2])
    redis.call('HDEL', 'pl:meta', 'careless')
    return requests.look()
end

-- Returns the epoch, the doubt if any window still reaches back to it, and whether only the birth of the store caused it.
function requests.look()
    if not doubt or doubt + LONGEST <= now then
        return {meta[1], '', ''}
    end
    return {meta[1], whole(doubt), redis.call('HGET', 'pl:meta', 'born') == whole(doubt) and '1' or ''}
end

-- Notes that this server may lose data, until somebody finds its settings mended.
function requests.careless()
    redis.call('HSET', 'pl:meta', 'careless', '1')
    return {'done'}
end

function requests.doubt()
    in_doubt_from_now_on()
    changed()
    return {'done'}
end

-- Ends the doubt that began at the given time, not a later one.
function requests.trust(arguments)
    if doubt and doubt == tonumber(arguments[1]) then
        redis.call('HDEL', 'pl:meta', 'doubt')
    end
    return {'done'}
end

local request, turn_before = ARGV[2], turn
if request ~= 'begin' and meta[1] ~= ARGV[1] then
    return {{'another_epoch'}, whole(now), whole(turn), whole(turn), ''}
end
local arguments = {}
for place = 3, #ARGV do
    arguments[place - 2] = ARGV[place]
end
local answer = requests[request](arguments)
return {answer, whole(now), whole(turn_before), whole(turn), table.concat(crowded, ' ')}
