"""Pictures of what was loaded and how, in the markdown of a materialization.

They are drawn with matplotlib, the extra `pictures`; without it there are none.
"""

from analytics_assets.pictures.draw import draw_pictures

__all__ = ["draw_pictures"]
