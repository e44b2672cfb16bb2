"""The application that owns the tables of the shop."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """Its tables stand in the dashboard's schema."""

    name = "dashboard.shop"
    label = "shop"
