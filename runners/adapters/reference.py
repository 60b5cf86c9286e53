#!/usr/bin/env python3
"""The reference hypervisor behind the adapter protocol.

An example of an adapter that uses only the adapter protocol. It converts the neutral scenario into the input of this
hypervisor, a device tree with the domains under /chosen. For another hypervisor, replace the conversion and keep the
protocol part. docs/bring-your-own-hypervisor.md explains the protocol.
"""

import base64
import json
import os
import struct
import sys

VERSION = 2

CAPABILITIES = [
    "boot-domains", "several-domains", "platform-devices", "forced-assignment", "direct-map", "iommu", "iommu-events",
    "hardware-domain", "control-domain", "control-node", "domctl-0x17", "xen-hypercalls", "runtime-create", "runtime-console", "destroy",
    "pci", "pci-scan", "pci-runtime", "pci-hotplug",
]

# The phandle by which devices of a partial tree refer to the domain's interrupt controller.
GIC = 0xFDE8


# --- Flattened device trees (Devicetree Specification 0.4, chapter 5) -------------------------------------------------

BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9


class Node:
    """A node: properties by name, in order, and children."""

    def __init__(self, name):
        self.name = name
        self.props = {}
        self.children = []

    def child(self, name):
        for child in self.children:
            if child.name == name:
                return child
        child = Node(name)
        self.children.append(child)
        return child


def read_tree(blob):
    """Reads a blob. Trusts it, because the machine's tree comes from QEMU and the suite and is well formed."""
    magic, _, at, strings = struct.unpack_from(">4I", blob)
    if magic != 0xD00DFEED:
        raise ValueError("no device tree")
    stack = [Node("")]
    while True:
        token = struct.unpack_from(">I", blob, at)[0]
        at += 4
        if token == BEGIN_NODE:
            end = blob.index(b"\0", at)
            node = Node(blob[at:end].decode())
            stack[-1].children.append(node)
            stack.append(node)
            at = (end + 4) & ~3
        elif token == END_NODE:
            stack.pop()
        elif token == PROP:
            size, name = struct.unpack_from(">2I", blob, at)
            at += 8
            end = blob.index(b"\0", strings + name)
            stack[-1].props[blob[strings + name:end].decode()] = blob[at:at + size]
            at = (at + size + 3) & ~3
        elif token == END:
            return stack[0].children[0]
        elif token != NOP:
            raise ValueError("token %#x in the device tree" % token)


def write_tree(root):
    """Writes a blob."""
    body, names, offsets = bytearray(), bytearray(), {}

    def pad():
        body.extend(bytes(-len(body) % 4))

    def write(node):
        body.extend(struct.pack(">I", BEGIN_NODE) + node.name.encode() + b"\0")
        pad()
        for name, value in node.props.items():
            if name not in offsets:
                offsets[name] = len(names)
                names.extend(name.encode() + b"\0")
            body.extend(struct.pack(">3I", PROP, len(value), offsets[name]) + value)
            pad()
        for child in node.children:
            write(child)
        body.extend(struct.pack(">I", END_NODE))

    write(root)
    body.extend(struct.pack(">I", END))
    structure = 40 + 16
    strings = structure + len(body)
    header = struct.pack(">10I", 0xD00DFEED, strings + len(names), structure, strings, 40, 17, 16, 0, len(names), len(body))
    return bytes(header + bytes(16) + body + names)


def cells(*values):
    return struct.pack(">%dI" % len(values), *values)


def wide(*values):
    return struct.pack(">%dQ" % len(values), *values)


def text(*values):
    return b"".join(value.encode() + b"\0" for value in values)


# --- Conversion of the neutral scenario for this hypervisor -----------------------------------------------------------


class Shelf:
    """Places boot modules one after the other in the machine's region for them."""

    def __init__(self, place):
        self.next = place["base"]
        self.end = place["base"] + place["size"]
        self.align = place["align"]
        self.loads = []

    def put(self, blob, size):
        address = self.next
        self.next = -(-(address + max(size, 1)) // self.align) * self.align
        if self.next > self.end:
            raise ValueError("%d bytes do not fit behind %#x" % (size, address))
        self.loads.append({"address": address, "blob": blob})
        return address, size


def module(kind, place, arguments=None):
    address, size = place
    node = Node("module@%x" % address)
    node.props["compatible"] = text(kind, "multiboot,module")
    node.props["reg"] = wide(address, size)
    if arguments is not None:
        node.props["bootargs"] = text(arguments)
    return node


def partial_tree(devices, functions):
    """The tree of the devices assigned to a domain: `reg` is for the domain, `xen,reg` for the hypervisor."""
    root = Node("")
    root.props.update({"#address-cells": cells(2), "#size-cells": cells(2)})
    root.child("gic").props["phandle"] = cells(GIC)
    bus = root.child("passthrough")
    bus.props.update({
        "compatible": text("simple-bus"), "ranges": b"", "#address-cells": cells(2), "#size-cells": cells(2),
    })
    if functions:
        bus.props["xen,pci-assigned"] = b"".join(
            cells(f["segment"], f["bus"], f["device"] << 3 | f["function"]) for f in functions)
    for device in devices:
        # Appended, not looked up: a case may want two devices of one name.
        node = Node(device["name"])
        bus.children.append(node)
        if device["ranges"]:
            node.props["reg"] = b"".join(wide(r["guest"], r["size"]) for r in device["ranges"])
            node.props["xen,reg"] = b"".join(wide(r["host"], r["size"], r["guest"]) for r in device["ranges"])
        if device["host_node"] is not None:
            node.props["xen,path"] = text(device["host_node"])
        if device["force_without_iommu"]:
            node.props["xen,force-assign-without-iommu"] = b""
        for prop in device["properties"]:
            node.props[prop["name"]] = base64.b64decode(prop["base64"])
        if "interrupts" in node.props and "interrupt-parent" not in node.props:
            node.props["interrupt-parent"] = cells(GIC)
    return write_tree(root)


def domain_node(domain, kernel, shelf):
    node = Node(domain["name"])
    node.props.update({
        "compatible": text("xen,domain"), "#address-cells": cells(2), "#size-cells": cells(2),
        "memory": wide(domain["memory_kib"]), "cpus": cells(domain["cpus"]),
    })
    if domain["console"]:
        node.props["vpl011"] = b""
    if domain["interrupt_lines"] is not None:
        node.props["nr_spis"] = cells(domain["interrupt_lines"])
    if domain["role"] == "control":
        node.props["capabilities"] = cells(1)
    banks = [bank for bank in domain["memory"] if bank["host"] is not None]
    if banks:
        node.props["xen,static-mem"] = b"".join(wide(bank["host"], bank["size"]) for bank in banks)
    if domain["direct_map"]:
        node.props["direct-map"] = b""
    node.children = modules(domain, kernel, shelf)
    if domain["devices"] or domain["pci"]:
        tree = partial_tree(domain["devices"], domain["pci"])
        blob = {"base64": base64.b64encode(tree).decode()}
        node.children.append(module("multiboot,device-tree", shelf.put(blob, len(tree))))
    return node


def modules(domain, kernel, shelf):
    found = [module("multiboot,kernel", kernel, domain["arguments"])]
    if domain["ramdisk"] is not None:
        file = domain["ramdisk"]["file"]
        found.append(module("multiboot,ramdisk", shelf.put({"file": file}, file["size"])))
    return found


def prepare(request):
    folder, scenario = request["folder"], request["scenario"]
    if request["image"] is None:
        raise ValueError("no image: name one with --image")
    with open(os.path.join(folder, scenario["machine"]["tree"]["path"]), "rb") as file:
        root = read_tree(file.read())
    chosen = root.child("chosen")
    chosen.props.pop("bootargs", None)
    chosen.props.update({
        "#address-cells": cells(2), "#size-cells": cells(2), "xen,xen-bootargs": text(scenario["hypervisor_arguments"]),
    })
    shelf = Shelf(scenario["machine"]["modules"])
    kernel = shelf.put({"file": scenario["kernel"]}, scenario["kernel"]["size"])
    for domain in scenario["domains"]:
        if domain["role"] == "hardware":
            # It has no node of its own: its modules are directly under /chosen.
            chosen.children.extend(modules(domain, kernel, shelf))
        else:
            chosen.children.append(domain_node(domain, kernel, shelf))
    tree = {"base64": base64.b64encode(write_tree(root)).decode()}
    return {"prepared": {"image": request["image"], "tree": tree, "loads": shelf.loads}}


def describe(request):
    return {"description": {
        "name": "reference", "version": "0.1.0", "capabilities": CAPABILITIES, "image": request["image"],
    }}


# --- The protocol: one line in, one line out --------------------------------------------------------------------------


def main():
    answers = {"describe": describe, "prepare": prepare, "teardown": lambda _: {"done": {}}}
    for line in sys.stdin:
        question = json.loads(line)
        if question["version"] != VERSION:
            sys.exit("version %s of the protocol; this adapter speaks %d" % (question["version"], VERSION))
        (name, request), = question["request"].items()
        try:
            response = answers[name](request)
        except (KeyError, OSError, ValueError) as error:
            response = {"error": {"reason": "%s: %s" % (type(error).__name__, error)}}
        print(json.dumps({"version": VERSION, "id": question["id"], "response": response}), flush=True)


if __name__ == "__main__":
    main()
