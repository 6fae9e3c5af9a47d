"""The slot of an id, computed without the server's code: XXH32, seed 0, modulo the number of slots."""
PRIMES = (2654435761, 2246822519, 3266489917, 668265263, 374761393)
MASK = 0xffffffff


def rotate(number, bits):
    return (number << bits | number >> (32 - bits)) & MASK


def xxh32(data):
    one, two, three, four, five = PRIMES
    at, lanes = 0, [(one + two) & MASK, two, 0, -one & MASK]
    total = five
    while len(data) - at >= 16:
        for i in range(4):
            word = int.from_bytes(data[at:at + 4], "little")
            lanes[i] = rotate((lanes[i] + word * two) & MASK, 13) * one & MASK
            at += 4
        total = sum(rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18)))
    total = (total + len(data)) & MASK
    for at in range(at, len(data) - 3, 4):
        word = int.from_bytes(data[at:at + 4], "little")
        total = rotate((total + word * three) & MASK, 17) * four & MASK
    for byte in data[len(data) & ~3:]:
        total = rotate((total + byte * five) & MASK, 11) * one & MASK
    for shift, prime in ((15, two), (13, three), (16, 1)):
        total = (total ^ total >> shift) * prime & MASK
    return total


def slot_of(id, count):
    return xxh32(id if isinstance(id, bytes) else id.encode()) % count


def share(number, nodes, count):
    """The first and the last slot of one of several nodes, as even as they can be."""
    return number * count // nodes, (number + 1) * count // nodes - 1
