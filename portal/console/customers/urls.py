"""The operators' way to their customers. On the base host."""

from django.urls import path

from portal.console.customers import views

urlpatterns = [
    path("", views.home, name="home"),
    path("customers/", views.customers, name="customers"),
]
