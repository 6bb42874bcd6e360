"""Sends trades in each way, one after the other, and prints what each took. Called by benches/produce.sh.

compare.py BINARIES PYTHON RECORDS
"""

import json
import os
import sys
import tempfile

from measure import Server, conclude, run

BINARIES, PYTHON, RECORDS = sys.argv[1], sys.argv[2], int(sys.argv[3])
SHARDS, THROTTLED = 4, 60_000

# As the workshop makes its trades, and as boto3's documentation puts records; what is refused is sent again.
BOTO3 = """
import json, random, sys
import boto3
tickers = [("AAPL", 119.72), ("XOM", 91.56), ("GOOG", 527.83), ("BRK.A", 223999.88), ("MSFT", 42.36)]
def trade(number):
    ticker, mean = random.choice(tickers)
    price = round(mean * (1 + random.uniform(-0.2, 0.2)), 2)
    kind = "SELL" if random.random() < 0.4 else "BUY"
    return {"tickerSymbol": ticker, "tradeType": kind, "price": price,
            "quantity": random.randint(1, 10000), "id": number}
client = boto3.client("kinesis", endpoint_url=sys.argv[1])
left, number = int(sys.argv[2]), 0
entries = []
while left or entries:
    while left and len(entries) < 500:
        number += 1
        left -= 1
        made = trade(number)
        entries.append({"Data": json.dumps(made), "PartitionKey": made["tickerSymbol"]})
    answer = client.put_records(StreamName="trades", Records=entries)
    if answer["FailedRecordCount"]:
        entries = [entry for entry, told in zip(entries, answer["Records"]) if "ErrorCode" in told]
    else:
        entries = []
"""


def serve(*arguments):
    return Server(os.path.join(BINARIES, "producing-server"), *arguments)


def produce(command, home):
    """What a command took that has to end well."""
    took = run(command, home)
    if took["status"]:
        sys.exit(f"{command} failed with {took['status']}: {took['said']}")
    return took


def measure(server, name, command, records, home):
    before = server.state()
    took = produce([*command, server.endpoint, str(records)], home)
    after = server.state()
    wall, cpu, taken = took["wall"], took["cpu"], after["taken"] - before["taken"]
    share = (after["cpu_seconds"] - before["cpu_seconds"]) / wall
    print(
        f"{name:<12} {records:8} {wall:8.2f} s {cpu:8.2f} s {took['memory']:6.0f} MB {records / cpu:12.0f} "
        f"{100 * share:7.0f} %",
        flush=True,
    )
    if taken != records:
        sys.exit(f"{name} sent {records} records, and {taken} arrived")
    return {"per_cpu": records / cpu, "server": share}


def main():
    home = tempfile.mkdtemp(dir=BINARIES)
    server = serve()
    print(f"{'':<12} {'records':>8} {'wall':>10} {'CPU':>10} {'memory':>9} {'per CPU s':>12} {'server':>9}")
    ours = lambda: measure(server, "ours", [os.path.join(BINARIES, "producing-client")], RECORDS, home)
    # Ours runs between the others: whatever else the machine does meets all of them.
    runs = [ours()]
    boto3 = measure(server, "boto3", [PYTHON, "-c", BOTO3], RECORDS // 3, home)
    runs.append(ours())
    bare = measure(server, "bare SDK", [os.path.join(BINARIES, "producing-bare")], RECORDS, home)
    runs.append(ours())
    server.end()
    best = sorted(runs, key=lambda it: it["per_cpu"])[len(runs) // 2]
    print(f"\nours (the median of its runs), in records a second of CPU: {best['per_cpu'] / boto3['per_cpu']:.1f} x "
          f"boto3, {best['per_cpu'] / bare['per_cpu']:.2f} x the bare SDK")

    # Keys that spread evenly, so that all shards are used; what they take at once in the first second is left out.
    server = serve(str(SHARDS))
    took = produce([os.path.join(BINARIES, "producing-client"), server.endpoint, str(THROTTLED), "id"], home)
    state = server.state()
    server.end()
    rate = (THROTTLED - SHARDS * 1_000) / took["wall"]
    print(f"\nagainst {SHARDS} shards: {THROTTLED} records in {took['wall']:.1f} s, {rate:.0f} a second after the first "
          f"{SHARDS * 1_000}, {state['refused']} refused and sent again")
    sent = json.loads(took["said"])

    conclude({
        "10 x boto3 in records a second of CPU": best["per_cpu"] >= 10 * boto3["per_cpu"],
        "nine tenths of what four shards take": rate >= 0.9 * SHARDS * 1_000,
        "every record taken once, none lost": state["taken"] == THROTTLED == sent["sent"] and sent["lost"] == 0,
    })


main()
