"""The index of a run as a labelled dataset of xarray, and two questions put to it.

    deeptracker demo --run runs/digits --no-serve
    deeptracker index runs/digits
    python examples/index_in_xarray.py runs/digits

It needs zarr and xarray: pip install 'deeptracker[xarray]'. What is not asked for is never read.
"""

import sys

import numpy as np
import xarray
import zarr

place = sys.argv[1] if len(sys.argv) > 1 else "runs/digits"
group = zarr.open_group(f"{place}/index", mode="r").attrs["deeptracker"]["group"]
index = xarray.open_zarr(f"{place}/index", group=group)

# Arrays have named dimensions; attributes tell what stands where along them.
stats, layers = index["node_stats"], index["change"].attrs["layers"]
stats = stats.assign_coords(node=stats.attrs["nodes"], node_measure=stats.attrs["node_measures"])
error = index["class_error"].assign_coords({"class": index.attrs["class_names"]})

# Training in ten parts of as many dumps each.
tenth = ("dump", np.arange(index.sizes["dump"]) * 10 // index.sizes["dump"])
begins = index["iteration"].assign_coords(tenth=tenth).groupby("tenth").min().values

print("Layers whose filters came to rest most: mean change between dumps, in the first and in the last tenth")
change = stats.sel(node_measure="change", node=layers).assign_coords(tenth=tenth).groupby("tenth").mean().compute()
first, last = change.isel(tenth=0), change.isel(tenth=-1)
fallen = last / first
for name in fallen.sortby(fallen).node.values[:5]:
    print(f"  {name:<24} {first.sel(node=name):.4f} -> {last.sel(node=name):.4f}   {fallen.sel(node=name):.1%} of it")

print("The hardest class in each tenth of training")
by_tenth = error.assign_coords(tenth=tenth).groupby("tenth").mean().compute()
for number, name in enumerate(by_tenth.idxmax("class").values):
    worst = by_tenth.sel({"tenth": number, "class": name})
    print(f"  from iteration {begins[number]:>7,}   {name:<20} {worst:.1%} wrong")
